#!/usr/bin/env bash
# On a machine with an NVIDIA GPU: builds the CUDA backend, runs its tests on the device, then under
# compute-sanitizer, times training steps in every precision, and prints a table to paste into an
# issue. The table has PyTorch's step too if python3 has PyTorch and torchvision for the GPU.
#   bash tests/gpu.sh [IMAGES_PER_STEP, 128 by default]
set -euo pipefail
cd "$(dirname "$0")/.."
source apps/packages.sh
source tests/run_tests.sh
images=${1:-128}
may_skip() {
  [ "$2" = engine.Allocator.NamesADeviceItDoesNotServe ] && echo "this build serves CUDA"
}

command -v nvidia-smi >/dev/null || { echo "gpu.sh needs an NVIDIA GPU; there is no nvidia-smi" >&2; exit 1; }
PATH=$PATH:/usr/local/cuda/bin
command -v nvcc >/dev/null || { echo "gpu.sh needs the CUDA toolkit; there is no nvcc" >&2; exit 1; }
install_missing "${build_packages[@]}" "${test_packages[@]}"

cmake --preset gpu
cmake --build --preset gpu
run_tests gpu -E "$cuda_test_names|libfuzzer"
run_tests gpu -R "$cuda_test_names"

# Without its cache the allocator passes every request to the driver, so the checker knows the bounds
# of each tensor.
if command -v compute-sanitizer >/dev/null; then
  for tool in memcheck racecheck initcheck synccheck; do
    for layer in engine autograd pixpro; do
      PIXPRO_CUDA_CACHE=off compute-sanitizer --tool "$tool" --error-exitcode 1 \
        "build/gpu/tests/test_$layer" --gtest_filter='*Cuda*'
    done
  done
else
  echo "compute-sanitizer is not installed: memory was not checked" >&2
fi

images_per_second() { sed -n 's|^step .*: \([0-9.]*\) and .*|\1|p'; }
ours() {
  build/gpu/pixpro bench step --device cuda --precision "$1" --arch resnet50 --image-size 224 \
    --batch-size "$images" --steps 30 --cudnn-benchmark | tee >(cat >&2) | images_per_second
}
theirs() { python3 tests/gpu_step.py "$1" "$images" 2>/dev/null || echo "-"; }

table=""
for precision in f32 tf32 bf16 fp16; do
  speed=$(ours "$precision")  # in an assignment, so that a step that fails ends the script
  [ -n "$speed" ] || { echo "bench step printed no speed in $precision" >&2; exit 1; }
  table+="| $precision | $speed | $(theirs "$precision") |"$'\n'
done
nvidia-smi --query-gpu=name,driver_version,clocks.max.sm,power.limit --format=csv,noheader
echo "ResNet-50, 224 pixels, $images images of two views per step, images/s:"
printf '| precision | pixpro | PyTorch |\n| --- | --- | --- |\n%s' "$table"
