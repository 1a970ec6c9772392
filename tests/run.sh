#!/usr/bin/env bash
# Installs what is missing, builds everything in Release and runs every test.
set -euo pipefail
cd "$(dirname "$0")/.."
source apps/packages.sh

install_missing "${build_packages[@]}" "${test_packages[@]}"
bash tests/structure.sh
cmake --preset release
cmake --build --preset release
ctest --preset release
