# SPDX-License-Identifier: Apache-2.0
# What `cmake --install` puts where. The package files find everything relative to themselves, so an
# installed tree can be moved.
include(CMakePackageConfigHelpers)

install(FILES include/lfm2.h include/lfm2_tools.h DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
install(TARGETS lfm2_shared LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}")
install(FILES "${lfm2_archive}" DESTINATION "${CMAKE_INSTALL_LIBDIR}")
install(FILES ${lfm2_private_libs} DESTINATION "${CMAKE_INSTALL_LIBDIR}/lfm2")
if(TARGET lfm2_program)
  install(TARGETS lfm2_program RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
endif()
install(FILES tools/demo-model/lfm2-demo-q4_0.gguf DESTINATION "${CMAKE_INSTALL_DATADIR}/lfm2" OPTIONAL)
install(FILES LICENSE DESTINATION "${CMAKE_INSTALL_DOCDIR}")
if(TARGET lfm2_program)
  install(FILES tools/cli/man/lfm2.1 DESTINATION "${CMAKE_INSTALL_MANDIR}/man1")
  install(FILES tools/cli/completion/lfm2.bash
    DESTINATION "${CMAKE_INSTALL_DATADIR}/bash-completion/completions" RENAME lfm2)
  install(FILES tools/cli/completion/_lfm2 DESTINATION "${CMAKE_INSTALL_DATADIR}/zsh/site-functions")
  install(FILES tools/cli/completion/lfm2.fish
    DESTINATION "${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d")
endif()

if(TARGET lfm2_program AND LFM2_SERVE)
  # Not an absolute path of systemd: the installed tree can have any prefix, and systemd looks into
  # lib/systemd of /usr/local and /usr.
  configure_file(tools/serve/lfm2.service "${CMAKE_CURRENT_BINARY_DIR}/lfm2.service" @ONLY)
  install(FILES "${CMAKE_CURRENT_BINARY_DIR}/lfm2.service" tools/serve/lfm2.socket
    DESTINATION lib/systemd/system)
endif()

# Notices of the libraries whose code is inside ours or installed next to it.
foreach(package libxnnpack-dev libpthreadpool0)
  foreach(root "${LFM2_DEPS}" "")
    set(notice "${root}/usr/share/doc/${package}/copyright")
    if(EXISTS "${notice}")
      install(FILES "${notice}" DESTINATION "${CMAKE_INSTALL_DOCDIR}" RENAME "${package}.copyright")
      break()
    endif()
  endforeach()
endforeach()

# ---- pkg-config ---------------------------------------------------------------------------------

set(lfm2_pc_dir "${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig")
file(RELATIVE_PATH lfm2_pc_to_lib "${lfm2_pc_dir}" "${CMAKE_INSTALL_FULL_LIBDIR}")
file(RELATIVE_PATH lfm2_pc_to_include "${lfm2_pc_dir}" "${CMAKE_INSTALL_FULL_INCLUDEDIR}")
set(lfm2_pc_private "")
if(lfm2_private_libs)
  set(lfm2_pc_private "-L\${libdir}/lfm2 -Wl,-rpath,\${libdir}/lfm2 ")
endif()
string(APPEND lfm2_pc_private "-lpthreadpool -lutf8proc -lxxhash -lpthread")
foreach(name lfm2 lfm2-static)
  configure_file(tools/cmake/${name}.pc.in "${CMAKE_CURRENT_BINARY_DIR}/${name}.pc" @ONLY)
  install(FILES "${CMAKE_CURRENT_BINARY_DIR}/${name}.pc"
    DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
endforeach()

# ---- find_package -------------------------------------------------------------------------------

set(lfm2_config_dir "${CMAKE_INSTALL_LIBDIR}/cmake/lfm2")
configure_package_config_file(tools/cmake/lfm2Config.cmake.in
  "${CMAKE_CURRENT_BINARY_DIR}/lfm2Config.cmake" INSTALL_DESTINATION "${lfm2_config_dir}"
  PATH_VARS CMAKE_INSTALL_INCLUDEDIR CMAKE_INSTALL_LIBDIR)
write_basic_package_version_file("${CMAKE_CURRENT_BINARY_DIR}/lfm2ConfigVersion.cmake"
  COMPATIBILITY SameMinorVersion)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/lfm2Config.cmake"
  "${CMAKE_CURRENT_BINARY_DIR}/lfm2ConfigVersion.cmake" DESTINATION "${lfm2_config_dir}")
