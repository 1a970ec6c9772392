# Finds the compiler and libraries that pixpro's libraries need, for its own build and, installed
# beside pixproConfig.cmake, for projects that use them. What is missing or too old is gathered in
# pixpro_missing, one line each, so that all of it is named at once. The oldest versions are those
# of Debian 12.
set(pixpro_missing "")

# pixpro_need(WHAT FOUND OLDEST PACKAGE): FOUND is a version, or false if there is none. PACKAGE is
# what Debian and Ubuntu call it.
function(pixpro_need what found oldest package)
  if(found AND found VERSION_GREATER_EQUAL oldest)
    return()
  endif()
  set(state "none was found")
  if(found)
    set(state "found ${found}")
  endif()
  set(pixpro_missing "${pixpro_missing}\n  ${what}: needs ${oldest} or newer, ${state} (Debian package ${package})"
    PARENT_SCOPE)
endfunction()

if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  pixpro_need("GCC" "${CMAKE_CXX_COMPILER_VERSION}" 12 g++-12)
elseif(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  pixpro_need("Clang" "${CMAKE_CXX_COMPILER_VERSION}" 14 clang-14)
endif()

find_package(PkgConfig QUIET)
pixpro_need("pkg-config" "${PKG_CONFIG_VERSION_STRING}" 1.0 pkg-config)
if(PkgConfig_FOUND)
  foreach(library IN ITEMS libjpeg,2.1,libjpeg-dev libpng,1.6,libpng-dev libtiff-4,4.5,libtiff-dev
      libwebp,1.2,libwebp-dev libwebpdemux,1.2,libwebp-dev libzip,1.7,libzip-dev)
    string(REPLACE "," ";" library "${library}")
    list(GET library 0 module)
    list(GET library 1 oldest)
    list(GET library 2 package)
    pkg_check_modules(PIXPRO_${module} QUIET ${module})
    pixpro_need(${module} "${PIXPRO_${module}_VERSION}" ${oldest} ${package})
  endforeach()
  pkg_check_modules(image_codecs QUIET IMPORTED_TARGET libjpeg libpng libtiff-4 libwebp libwebpdemux)
  pkg_check_modules(libzip QUIET IMPORTED_TARGET libzip)
endif()

if(PIXPRO_FUZZ)  # its targets need none of the following
  return()
endif()

find_package(OpenMP QUIET COMPONENTS CXX)
pixpro_need("OpenMP" "${OpenMP_CXX_VERSION}" 4.5 "libomp-dev for clang, part of g++")

# Not find_package(dnnl): Debian's package description asks for OpenCL, which nothing here needs.
find_library(DNNL_LIBRARY dnnl)
find_path(DNNL_INCLUDE_DIR oneapi/dnnl/dnnl_version.h)
set(onednn_version "")
if(DNNL_LIBRARY AND DNNL_INCLUDE_DIR)
  file(READ ${DNNL_INCLUDE_DIR}/oneapi/dnnl/dnnl_version.h onednn_header)
  foreach(part MAJOR MINOR PATCH)
    string(REGEX MATCH "DNNL_VERSION_${part} +([0-9]+)" line "${onednn_header}")
    list(APPEND onednn_version ${CMAKE_MATCH_1})
  endforeach()
  list(JOIN onednn_version "." onednn_version)
endif()
pixpro_need("oneDNN" "${onednn_version}" 2.6 libdnnl-dev)
if(onednn_version AND NOT TARGET pixpro::onednn)
  add_library(pixpro::onednn UNKNOWN IMPORTED)
  set_target_properties(pixpro::onednn PROPERTIES IMPORTED_LOCATION ${DNNL_LIBRARY}
    INTERFACE_INCLUDE_DIRECTORIES ${DNNL_INCLUDE_DIR})
endif()
