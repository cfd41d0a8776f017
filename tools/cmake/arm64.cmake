# SPDX-License-Identifier: Apache-2.0
# CMake toolchain: compiles for arm64 with Debian's gcc-aarch64-linux-gnu and runs the tests'
# programs with qemu-user. LFM2_ARM64_ROOT is a folder into which the libraries' arm64 packages are
# unpacked; LFM2_ARM64_QEMU the emulator, whose CPU the variable QEMU_CPU names. The defaults are
# where tools/setup --arm64 puts both.
# ccache would make the include folders relative that CMake reads from the compiler's output.
unset(ENV{CCACHE_BASEDIR})
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
find_program(LFM2_OBJCOPY NAMES aarch64-linux-gnu-objcopy REQUIRED)

set(lfm2_arm64 "${CMAKE_CURRENT_LIST_DIR}/../../.deps/arm64")
cmake_path(NORMAL_PATH lfm2_arm64)
set(LFM2_ARM64_ROOT "${lfm2_arm64}/root" CACHE PATH "Folder with arm64 packages")
set(LFM2_ARM64_QEMU "${lfm2_arm64}/qemu-aarch64" CACHE STRING "Emulator and its options")
set(LFM2_DEPS "${LFM2_ARM64_ROOT}" CACHE PATH "Folder with XNNPACK and pthreadpool")
if(NOT EXISTS "${LFM2_ARM64_ROOT}/usr/lib")
  message(FATAL_ERROR
    "${LFM2_ARM64_ROOT} is missing: run tools/setup --arm64, or set LFM2_ARM64_ROOT")
endif()
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
