# The CUDA side of the build. Host sources (.cpp) belong to their layers and are compiled once. Device
# sources (.cu) are compiled twice: by nvcc and, for the tests, by the host compiler. A program links
# one of two targets:
#   cuda_device  nvcc's kernels and the real libraries
#   cuda_on_cpu  the same kernels on the CPU, with emulated libraries (tests/cuda_emulation)
set(CMAKE_CUDA_ARCHITECTURES 80-real 90)  # A100, H100, and PTX for what comes after
if(NOT CMAKE_CUDA_COMPILER AND NOT DEFINED ENV{CUDACXX})
  find_program(CMAKE_CUDA_COMPILER nvcc HINTS /usr/local/cuda/bin)
endif()
enable_language(CUDA)
# CMake 3.25 does not know nvcc's option for this standard.
set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)
set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION -std=c++20)
find_package(CUDAToolkit 12 REQUIRED)
find_library(CUDNN_LIBRARY cudnn HINTS ${CUDAToolkit_LIBRARY_DIR} REQUIRED)
find_library(NCCL_LIBRARY nccl HINTS ${CUDAToolkit_LIBRARY_DIR} REQUIRED)

# Included as system headers, which get no warnings.
add_library(cuda_headers INTERFACE)
target_include_directories(cuda_headers SYSTEM INTERFACE ${CUDAToolkit_INCLUDE_DIRS})
target_compile_definitions(project_options INTERFACE PIXPRO_CUDA)

set(cuda_options --expt-relaxed-constexpr --Werror=all-warnings -Xcompiler=-Wall,-Wextra,-Wshadow
  -Xptxas=-warn-spills,-v)
target_compile_options(project_options INTERFACE $<$<COMPILE_LANGUAGE:CUDA>:${cuda_options}>)

file(GLOB_RECURSE cuda_kernel_sources CONFIGURE_DEPENDS engine/*.cu pixpro/*.cu)
# No fused multiply-add, as on the CPU: pairs of pixels at the threshold and bytes of images depend on
# the rounding of every product.
set_source_files_properties(pixpro/method/cuda/kernels.cu pixpro/data/batches/cuda/views.cu
  PROPERTIES COMPILE_OPTIONS -fmad=false)
add_library(cuda_kernels OBJECT ${cuda_kernel_sources})
target_link_libraries(cuda_kernels PRIVATE project_options cuda_headers)
set_target_properties(cuda_kernels PROPERTIES
  CUDA_COMPILER_LAUNCHER "bash;${CMAKE_SOURCE_DIR}/engine/cuda/ptxas_report.sh")

add_library(cuda_device INTERFACE)
target_link_libraries(cuda_device INTERFACE $<TARGET_OBJECTS:cuda_kernels> CUDA::cudart CUDA::cublas
  ${CUDNN_LIBRARY} ${NCCL_LIBRARY})
