# SPDX-License-Identifier: Apache-2.0
# The libraries that lfm2 needs. XNNPACK's micro-kernels and pthreadpool are taken from LFM2_DEPS if
# they are there (Debian 12), otherwise from the system (Debian 13).
#
# lfm2_microkernels   XNNPACK's archive of micro-kernels; ends up inside our libraries
# lfm2_external       everything that stays a shared library next to ours
# lfm2_private_libs   files to install next to our library, because the system has none that fit
find_package(Threads REQUIRED)

set(lfm2_hints HINTS "${LFM2_DEPS}/usr/lib/${CMAKE_LIBRARY_ARCHITECTURE}" "${LFM2_DEPS}/usr/lib"
  "${LFM2_DEPS}/lib")
find_library(LFM2_MICROKERNELS_LIBRARY NAMES libmicrokernels-prod.a ${lfm2_hints})
find_library(LFM2_PTHREADPOOL_LIBRARY NAMES pthreadpool ${lfm2_hints})
find_path(LFM2_PTHREADPOOL_INCLUDE_DIR NAMES pthreadpool.h
  HINTS "${LFM2_DEPS}/usr/include" "${LFM2_DEPS}/include")
find_library(LFM2_UTF8PROC_LIBRARY NAMES utf8proc)
find_path(LFM2_UTF8PROC_INCLUDE_DIR NAMES utf8proc.h)
find_library(LFM2_XXHASH_LIBRARY NAMES xxhash)
find_path(LFM2_XXHASH_INCLUDE_DIR NAMES xxhash.h)
find_program(LFM2_OBJCOPY NAMES objcopy)
set(lfm2_parts MICROKERNELS_LIBRARY PTHREADPOOL_LIBRARY PTHREADPOOL_INCLUDE_DIR
  UTF8PROC_LIBRARY UTF8PROC_INCLUDE_DIR XXHASH_LIBRARY XXHASH_INCLUDE_DIR OBJCOPY)
if(LFM2_BUILD_PROGRAM)
  find_library(LFM2_EDITLINE_LIBRARY NAMES edit)
  find_path(LFM2_EDITLINE_INCLUDE_DIR NAMES histedit.h)
  list(APPEND lfm2_parts EDITLINE_LIBRARY EDITLINE_INCLUDE_DIR)
  if(LFM2_SERVE)
    find_library(LFM2_EVENT_CORE_LIBRARY NAMES event_core)
    find_path(LFM2_EVENT_INCLUDE_DIR NAMES event2/bufferevent.h)
    list(APPEND lfm2_parts EVENT_CORE_LIBRARY EVENT_INCLUDE_DIR)
  endif()
endif()

set(lfm2_missing "")
foreach(part IN LISTS lfm2_parts)
  if(NOT LFM2_${part})
    list(APPEND lfm2_missing ${part})
  endif()
endforeach()
if(lfm2_missing)
  list(JOIN lfm2_missing ", " lfm2_missing)
  message(FATAL_ERROR "Not found: ${lfm2_missing}. Run tools/setup, or set -DLFM2_DEPS=DIR.")
endif()

add_library(lfm2_microkernels INTERFACE)
target_link_libraries(lfm2_microkernels INTERFACE "${LFM2_MICROKERNELS_LIBRARY}")

add_library(lfm2_external INTERFACE)
target_include_directories(lfm2_external SYSTEM INTERFACE
  "${LFM2_PTHREADPOOL_INCLUDE_DIR}" "${LFM2_UTF8PROC_INCLUDE_DIR}" "${LFM2_XXHASH_INCLUDE_DIR}")
if(LFM2_SANITIZE)
  # tests/pool replaces the packaged pthreadpool: the thread sanitizer does not see its synchronization,
  # and its threads spin while they wait for code that a sanitizer makes slow (tests/README.md).
  add_library(lfm2_pool STATIC tests/pool/pthreadpool.c)
  target_include_directories(lfm2_pool SYSTEM PRIVATE "${LFM2_PTHREADPOOL_INCLUDE_DIR}")
  target_link_libraries(lfm2_pool PRIVATE lfm2_flags PUBLIC Threads::Threads)
  target_link_libraries(lfm2_external INTERFACE lfm2_pool)
else()
  target_link_libraries(lfm2_external INTERFACE "${LFM2_PTHREADPOOL_LIBRARY}")
endif()
target_link_libraries(lfm2_external INTERFACE "${LFM2_UTF8PROC_LIBRARY}" "${LFM2_XXHASH_LIBRARY}" Threads::Threads)

if(LFM2_BUILD_PROGRAM)
  add_library(lfm2_editline INTERFACE)
  target_include_directories(lfm2_editline SYSTEM INTERFACE "${LFM2_EDITLINE_INCLUDE_DIR}")
  target_link_libraries(lfm2_editline INTERFACE "${LFM2_EDITLINE_LIBRARY}")
  add_library(lfm2_event INTERFACE)
  if(LFM2_SERVE)
    target_include_directories(lfm2_event SYSTEM INTERFACE "${LFM2_EVENT_INCLUDE_DIR}")
    target_link_libraries(lfm2_event INTERFACE "${LFM2_EVENT_CORE_LIBRARY}")
    target_compile_definitions(lfm2_event INTERFACE LFM2_SERVE=1)
  endif()
endif()

# pthreadpool stays a shared library, even for liblfm2.a: Debian packages no static one, and a host
# that passes its thread pool must use the same pthreadpool. A pthreadpool that is not the system's
# is installed into <libdir>/lfm2 and found there through the run path.
set(lfm2_private_libs "")
set(lfm2_private_rpath "")
set(lfm2_private_rpath_program "")
cmake_path(IS_PREFIX LFM2_DEPS "${LFM2_PTHREADPOOL_LIBRARY}" NORMALIZE lfm2_pool_is_private)
if(lfm2_pool_is_private)
  cmake_path(GET LFM2_PTHREADPOOL_LIBRARY PARENT_PATH folder)
  list(APPEND lfm2_private_libs "${folder}/libpthreadpool.so" "${folder}/libpthreadpool.so.0")
  set(lfm2_private_rpath "$ORIGIN/lfm2")
  file(RELATIVE_PATH lfm2_bin_to_lib "${CMAKE_INSTALL_FULL_BINDIR}" "${CMAKE_INSTALL_FULL_LIBDIR}")
  set(lfm2_private_rpath_program "$ORIGIN/${lfm2_bin_to_lib}/lfm2")
endif()
