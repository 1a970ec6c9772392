#!/usr/bin/env bash
# Installs what is missing, builds everything in Release and runs every test. If there is a CUDA
# toolkit, the CUDA backend is built too and run on the emulated device, once under AddressSanitizer;
# no GPU is needed. Without a toolkit its tests are skipped and counted.
set -euo pipefail
cd "$(dirname "$0")/.."
source apps/packages.sh
source tests/cuda_tests.sh

install_missing "${build_packages[@]}" "${test_packages[@]}"
bash tests/structure.sh
cmake --preset release
cmake --build --preset release
ctest --preset release -E "$cuda_test_names"
bash tests/other_onednn.sh build/release

# If that ran with AVX-512, test the vectors of AVX2 too.
if grep -qw avx512f /proc/cpuinfo; then
  cmake --preset avx2
  cmake --build --preset avx2 --target test_engine
  ctest --preset avx2 -R '^engine\.' -E "$cuda_test_names"
fi

PATH=$PATH:/usr/local/cuda/bin
if ! command -v nvcc >/dev/null; then
  skipped=$(ctest --preset release -R "$cuda_test_names" | tee >(cat >&2) | count_not_run)
  echo "skipped: $skipped tests of the CUDA backend and all that only its build has: no nvcc here"
  exit
fi

cmake --preset cuda
cmake --build --preset cuda
cuda_tests cuda "$cuda_test_names"
# Those bypassed the caching allocator, which would hide what the emulation finds.
cuda_tests cuda-cached 'CudaAllocator|CudaTransfers|CudaStep\.(Neither|Memory)|CudaViews\.Take'
# The kernels again, with the threads of every block in other orders.
kernels='CudaOp|CudaMethod|CudaPixel|CudaViews|engine\.Cuda'
cuda_tests cuda-reverse "$kernels"
cuda_tests cuda-random "$kernels"
# And under AddressSanitizer, which sees every access: the kernels, the error paths and the emulation.
cmake --preset cuda-asan
cmake --build --preset cuda-asan --target test_cuda_emulation test_engine test_autograd test_emulated
cuda_tests cuda-asan "$kernels|cuda_emulation|emulated\.(CudaFailures|CudaNccl|ConvLibrary)"
