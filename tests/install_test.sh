#!/usr/bin/env bash
# install_test.sh BUILD_FOLDER: installs a finished build and builds the examples against what was
# installed, away from the project and for any processor. They must print what they print within
# the project.
set -euo pipefail
cd "$(dirname "$0")/.."
build=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cmake --install "$build" --prefix "$work/prefix" >"$work/log"
cp -r examples "$work/examples"
cmake -S "$work/examples" -B "$work/build" -G Ninja -DCMAKE_PREFIX_PATH="$work/prefix" \
  -DCMAKE_CXX_COMPILER="$(sed -n 's/^CMAKE_CXX_COMPILER:[A-Z]*=//p' "$build/CMakeCache.txt")" >"$work/log"
cmake --build "$work/build"
diff <("$build/examples/two_layer_net") <("$work/build/two_layer_net")
"$work/prefix/bin/pixpro" --help >/dev/null
