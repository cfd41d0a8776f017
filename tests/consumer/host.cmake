# SPDX-License-Identifier: Apache-2.0
# Checks that lfm2 does not change the settings of a project that contains it. Included twice: before
# lfm2 is added, and after.
if(NOT DEFINED host_watched)
  set(host_watched CMAKE_BUILD_TYPE CMAKE_C_FLAGS CMAKE_CXX_FLAGS CMAKE_CXX_FLAGS_RELEASE
    CMAKE_C_STANDARD CMAKE_CXX_STANDARD CMAKE_C_EXTENSIONS BUILD_SHARED_LIBS BUILD_TESTING
    CMAKE_POSITION_INDEPENDENT_CODE CMAKE_C_VISIBILITY_PRESET CMAKE_EXPORT_COMPILE_COMMANDS
    CMAKE_MODULE_PATH CMAKE_UNITY_BUILD CMAKE_INTERPROCEDURAL_OPTIMIZATION CMAKE_INSTALL_RPATH)
  if(CMAKE_C_COMPILER_LOADED) # else lfm2 enables C, which sets CMake's defaults
    list(APPEND host_watched CMAKE_C_FLAGS_RELEASE)
  endif()
  set(host_properties COMPILE_OPTIONS COMPILE_DEFINITIONS INCLUDE_DIRECTORIES LINK_OPTIONS
    LINK_DIRECTORIES)
endif()

foreach(name IN LISTS host_watched)
  set(host_now_${name} "${${name}} (cache: $CACHE{${name}})")
endforeach()
foreach(name IN LISTS host_properties)
  get_directory_property(value ${name})
  set(host_now_${name} "${value}")
endforeach()
get_cmake_property(host_cache CACHE_VARIABLES)

if(NOT DEFINED host_cache_before)
  set(host_cache_before ${host_cache})
  foreach(name IN LISTS host_watched host_properties)
    set(host_before_${name} "${host_now_${name}}")
  endforeach()
else()
  foreach(name IN LISTS host_watched host_properties)
    if(NOT host_now_${name} STREQUAL host_before_${name})
      message(SEND_ERROR
        "lfm2 changed ${name}: it was '${host_before_${name}}', is '${host_now_${name}}'")
    endif()
  endforeach()
  # Without the variables of C and GNUInstallDirs; all others must have lfm2's prefix.
  list(REMOVE_ITEM host_cache ${host_cache_before})
  list(FILTER host_cache EXCLUDE REGEX
    "^(LFM2_|lfm2_|CMAKE_|FETCHCONTENT_|FIND_PACKAGE_|_GNUInstallDirs)")
  if(host_cache)
    message(SEND_ERROR "lfm2 left these in the cache: ${host_cache}")
  endif()
endif()
