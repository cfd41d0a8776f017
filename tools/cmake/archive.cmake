# SPDX-License-Identifier: Apache-2.0
# liblfm2.a for embedders: one object that holds our code and the micro-kernels that it uses, with
# every symbol but lfm2_* made local, so that nothing in it can clash with the host's own copies.
set(lfm2_merged "${CMAKE_CURRENT_BINARY_DIR}/merged")
set(lfm2_archive "${CMAKE_CURRENT_BINARY_DIR}/liblfm2.a")
add_custom_command(
  OUTPUT "${lfm2_archive}"
  COMMAND ${CMAKE_COMMAND} -E make_directory "${lfm2_merged}"
  COMMAND ${CMAKE_LINKER} -r -o "${lfm2_merged}/all.o"
    "$<TARGET_OBJECTS:lfm2_objects>" "${LFM2_MICROKERNELS_LIBRARY}"
  COMMAND ${LFM2_OBJCOPY} --wildcard "--keep-global-symbol=lfm2_*"
    "${lfm2_merged}/all.o" "${lfm2_merged}/lfm2.o"
  COMMAND ${CMAKE_COMMAND} -E rm -f "${lfm2_archive}"
  COMMAND ${CMAKE_AR} rcsD "${lfm2_archive}" "${lfm2_merged}/lfm2.o"
  DEPENDS lfm2_objects "$<TARGET_OBJECTS:lfm2_objects>" "${LFM2_MICROKERNELS_LIBRARY}"
  COMMENT "Merging liblfm2.a"
  COMMAND_EXPAND_LISTS VERBATIM)
add_custom_target(lfm2_archive ALL DEPENDS "${lfm2_archive}")

add_library(lfm2_static STATIC IMPORTED GLOBAL)
add_library(lfm2::static ALIAS lfm2_static)
set_target_properties(lfm2_static PROPERTIES
  IMPORTED_LOCATION "${lfm2_archive}" IMPORTED_LINK_INTERFACE_LANGUAGES C)
target_include_directories(lfm2_static INTERFACE "${CMAKE_CURRENT_SOURCE_DIR}/include")
target_link_libraries(lfm2_static INTERFACE lfm2_external)
add_dependencies(lfm2_static lfm2_archive)
