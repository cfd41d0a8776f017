# SPDX-License-Identifier: Apache-2.0
# Kernel sources and their instruction sets. The suffix of a file's name is the instruction set it is
# compiled for, as in gemm_q4_avx512vnni.c; a file without such a suffix, and everything outside
# kernels/, is compiled for the baseline of the architecture.
file(GLOB_RECURSE lfm2_kernel_sources CONFIGURE_DEPENDS kernels/scalar/*.c kernels/xnnpack/*.c)
file(GLOB lfm2_kernel_top CONFIGURE_DEPENDS kernels/*.c)
list(APPEND lfm2_kernel_sources ${lfm2_kernel_top})

set(lfm2_avx2 -mavx2 -mfma -mf16c)
set(lfm2_avx512 ${lfm2_avx2} -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512cd)
set(lfm2_isa_avx2 ${lfm2_avx2})
set(lfm2_isa_avxvnni ${lfm2_avx2} -mavxvnni)
set(lfm2_isa_avx512 ${lfm2_avx512})
set(lfm2_isa_avx512vnni ${lfm2_avx512} -mavx512vnni)
set(lfm2_isa_neondot -march=armv8.2-a+dotprod)
set(lfm2_isa_neoni8mm -march=armv8.2-a+i8mm+dotprod)

if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
  set(lfm2_arch x86)
  set(lfm2_arch_define LF_ARCH_X86=1 LF_ARCH_ARM64=0)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64)$")
  set(lfm2_arch arm)
  set(lfm2_arch_define LF_ARCH_X86=0 LF_ARCH_ARM64=1)
else()
  message(FATAL_ERROR "lfm2 is written for x86-64 and arm64, not ${CMAKE_SYSTEM_PROCESSOR}")
endif()
file(GLOB_RECURSE lfm2_arch_sources CONFIGURE_DEPENDS kernels/${lfm2_arch}/*.c)
list(APPEND lfm2_kernel_sources ${lfm2_arch_sources})

foreach(source IN LISTS lfm2_kernel_sources)
  set(options "")
  if(NOT LFM2_SANITIZE)
    # For every build type: without optimization gcc takes minutes and gigabytes for these files.
    # Loops begin at cache lines: otherwise the speed depends on where the linker puts them.
    list(APPEND options -O3 -falign-functions=64 -falign-loops=64)
  endif()
  if(lfm2_arch STREQUAL arm AND CMAKE_C_COMPILER_ID STREQUAL GNU)
    # gcc's first scheduling loads operands so early that the sums of the kernels are spilled. The
    # second one finds more to move if registers are renamed before it.
    list(APPEND options -fno-schedule-insns -frename-registers)
  endif()
  if(LFM2_FUZZ AND NOT LFM2_TEST_FULL)
    # clang takes minutes for checked kernels; other builds run them with sanitizers.
    list(APPEND options -fno-sanitize=all)
  endif()
  cmake_path(GET source STEM stem)
  string(REGEX REPLACE "^.*_" "" suffix "${stem}")
  if(source IN_LIST lfm2_arch_sources AND DEFINED lfm2_isa_${suffix})
    list(APPEND options ${lfm2_isa_${suffix}})
  endif()
  set_source_files_properties("${source}" PROPERTIES
    COMPILE_OPTIONS "${options}" COMPILE_DEFINITIONS "${lfm2_arch_define}")
endforeach()
