# SPDX-License-Identifier: Apache-2.0
# lfm2_flags: how every C file of the project is compiled.
include(CheckCCompilerFlag)

add_library(lfm2_flags INTERFACE)

target_compile_options(lfm2_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wstrict-prototypes
  -Wmissing-prototypes -Wundef -Wcast-qual -Wwrite-strings -Wvla -Wdouble-promotion -Wformat=2
  # A product and a sum are one rounding only where the source says fma.
  # Fast math is undone first: that switch changes the two others.
  -fno-fast-math -ffp-contract=off
  # The builtin of a square root is one instruction, without a call that would set errno.
  -fno-math-errno
  -fstack-protector-strong
  # archive.cmake merges object files, which must hold machine code.
  -fno-lto)
target_compile_definitions(lfm2_flags INTERFACE _POSIX_C_SOURCE=200809L)

if(NOT CMAKE_BUILD_TYPE)
  # A surrounding project that leaves the build type empty does not ask for slow code.
  target_compile_options(lfm2_flags INTERFACE -O2 -DNDEBUG)
endif()

# Only our own option makes warnings errors, not that of a surrounding project.
if(NOT LFM2_WERROR)
  target_compile_options(lfm2_flags INTERFACE -Wno-error)
else()
  target_compile_options(lfm2_flags INTERFACE -Werror)
  if(CMAKE_C_COMPILER_ID STREQUAL GNU)
    # Warnings only: they depend on the version of the optimizer and may be wrong.
    target_compile_options(lfm2_flags INTERFACE -Wno-error=maybe-uninitialized
      -Wno-error=array-bounds -Wno-error=stringop-overflow -Wno-error=stringop-overread)
  endif()
endif()

if(CMAKE_C_COMPILER_ID MATCHES Clang)
  # objcopy (see archive.cmake) reorders symbols, which clang's address-significance table forbids.
  target_compile_options(lfm2_flags INTERFACE -fno-addrsig)
endif()

if(LFM2_SANITIZE)
  if(NOT LFM2_SANITIZE MATCHES "^(address|undefined|address,undefined|thread)$")
    message(FATAL_ERROR "LFM2_SANITIZE: 'address,undefined' or 'thread', not '${LFM2_SANITIZE}'")
  endif()
  set(lfm2_sanitize -fsanitize=${LFM2_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_compile_options(lfm2_flags INTERFACE ${lfm2_sanitize} -O1 -g1
    # gcc spends most of the time for checked kernels on allocating registers for each loop.
    $<$<C_COMPILER_ID:GNU>:-fira-region=one>)
  # Directory-wide: also for programs that only link the library.
  add_link_options(${lfm2_sanitize})
elseif(CMAKE_BUILD_TYPE MATCHES "^Rel")
  target_compile_options(lfm2_flags INTERFACE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
endif()
