#!/usr/bin/env bash
# Installs what is missing, builds everything in Release and runs every test. Where there is a CUDA
# toolkit, the CUDA backend is built too and run on the emulated device; no GPU is needed.
set -euo pipefail
cd "$(dirname "$0")/.."
source apps/packages.sh

install_missing "${build_packages[@]}" "${test_packages[@]}"
bash tests/structure.sh
cmake --preset release
cmake --build --preset release
ctest --preset release

PATH=$PATH:/usr/local/cuda/bin
if command -v nvcc >/dev/null; then
  cmake --preset cuda
  cmake --build --preset cuda
  ctest --preset cuda -R '[Cc]uda'
  # The kernels again, with the threads of every block in other orders.
  kernels='CudaOp|CudaMethod|CudaPixel|engine\.Cuda'
  ctest --preset cuda-reverse -R "$kernels"
  ctest --preset cuda-random -R "$kernels"
else
  echo "skipped: all tests of the CUDA backend, as there is no nvcc here"
fi
