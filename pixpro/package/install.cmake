# cmake --install: the program, the libraries with their headers, and what find_package(pixpro)
# reads. A CUDA build installs the program alone.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

install(TARGETS apps)
if(PIXPRO_CUDA)
  return()
endif()

# Names like "engine" are common: libraries and headers get a folder of their own.
set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/pixpro)
install(TARGETS engine autograd layers pixpro EXPORT pixpro
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}/pixpro)
install(DIRECTORY engine autograd layers pixpro DESTINATION include/pixpro
  FILES_MATCHING PATTERN "*.h" PATTERN cpu EXCLUDE PATTERN cuda EXCLUDE PATTERN mpi EXCLUDE PATTERN package EXCLUDE)

install(EXPORT pixpro NAMESPACE pixpro:: FILE pixproTargets.cmake DESTINATION ${package_folder})
write_basic_package_version_file(pixproConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES pixpro/package/pixproConfig.cmake pixpro/package/dependencies.cmake
  ${CMAKE_BINARY_DIR}/pixproConfigVersion.cmake DESTINATION ${package_folder})
