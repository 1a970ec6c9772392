# find_package(pixpro): the libraries pixpro::engine, ::autograd, ::layers and ::pixpro, each of
# which brings those before it along. Headers are included as in the project itself:
# #include "engine/tensor.h".
include(${CMAKE_CURRENT_LIST_DIR}/dependencies.cmake)
if(pixpro_missing)
  set(pixpro_FOUND FALSE)
  set(pixpro_NOT_FOUND_MESSAGE "Some of what pixpro needs is missing or too old:${pixpro_missing}")
  return()
endif()
include(${CMAKE_CURRENT_LIST_DIR}/pixproTargets.cmake)
