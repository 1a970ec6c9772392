#!/usr/bin/env bash
# Installs what is missing, builds, and pre-trains a ResNet-18 for about four minutes on two cores on
# tiles of real photographs. Ends by saying what was learnt and where the results are.
set -euo pipefail
cd "$(dirname "$0")/.."
source apps/packages.sh

install_missing "${build_packages[@]}" "${photo_packages[@]}"
cmake -S . -B build/demo -G Ninja -DPIXPRO_TESTS=OFF
cmake --build build/demo
bash apps/photos.sh demo/photos

# Each further demo moves the files of the one before into a folder demo/run/previous.N.
build/demo/pixpro pretrain --data-dir demo/photos --output-dir demo/run --overwrite \
  --arch resnet18 --image-size 96 --batch-size 16 --epochs 22 --warmup-epoch 1 --base-lr 48 \
  --num-workers 2
