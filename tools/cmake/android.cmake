# SPDX-License-Identifier: Apache-2.0
# CMake toolchain: the library for Android (arm64) with the NDK. Not run: no NDK was at hand. What
# it needs from the C library compiles with musl's headers (tests/musl.sh).
#
#   cmake -S . -B build-android -G Ninja -DCMAKE_TOOLCHAIN_FILE=$PWD/tools/cmake/android.cmake \
#       -DLFM2_NDK=/path/to/ndk -DLFM2_DEPS=/path/to/libraries -DLFM2_BUILD_PROGRAM=OFF
#
# LFM2_DEPS holds, compiled for Android, include/ and lib/ of XNNPACK's micro-kernels
# (libmicrokernels-prod.a), pthreadpool, utf8proc and xxHash.
set(LFM2_NDK "$ENV{ANDROID_NDK_HOME}" CACHE PATH "Android's NDK")
if(NOT EXISTS "${LFM2_NDK}/build/cmake/android.toolchain.cmake")
  message(FATAL_ERROR "LFM2_NDK is not the folder of an NDK: '${LFM2_NDK}'")
endif()
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES LFM2_NDK)
set(ANDROID_ABI arm64-v8a)
if(NOT DEFINED ANDROID_PLATFORM)
  set(ANDROID_PLATFORM android-28)
endif()
include("${LFM2_NDK}/build/cmake/android.toolchain.cmake")
list(APPEND CMAKE_FIND_ROOT_PATH "${LFM2_DEPS}")
find_program(LFM2_OBJCOPY NAMES llvm-objcopy HINTS "${ANDROID_TOOLCHAIN_ROOT}/bin" REQUIRED)
