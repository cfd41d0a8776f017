# SPDX-License-Identifier: Apache-2.0
# CMake toolchain: compiles for arm64 with Debian's gcc-aarch64-linux-gnu and runs the tests' programs
# with qemu-user (tests/README.md has the commands). LFM2_ARM64_ROOT is a folder into which the
# libraries' arm64 packages are unpacked; LFM2_ARM64_QEMU the emulator, with the CPU to emulate.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
find_program(LFM2_OBJCOPY NAMES aarch64-linux-gnu-objcopy REQUIRED)

set(LFM2_ARM64_ROOT "" CACHE PATH "Folder with arm64 packages")
if(NOT LFM2_ARM64_ROOT)
  message(FATAL_ERROR "LFM2_ARM64_ROOT is not set: see tests/README.md")
endif()
set(LFM2_ARM64_QEMU "qemu-aarch64;-cpu;max" CACHE STRING "Emulator and its options")
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES LFM2_ARM64_ROOT)
set(CMAKE_SYSROOT "${LFM2_ARM64_ROOT}")
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
# gcc looks for the C library's start files in its own folders only.
set(CMAKE_C_FLAGS_INIT "-B\"${LFM2_ARM64_ROOT}/usr/lib/aarch64-linux-gnu\"")
set(CMAKE_FIND_ROOT_PATH "${LFM2_ARM64_ROOT}")
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_CROSSCOMPILING_EMULATOR ${LFM2_ARM64_QEMU} -L "${LFM2_ARM64_ROOT}")
