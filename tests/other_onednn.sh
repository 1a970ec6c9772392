#!/usr/bin/env bash
# other_onednn.sh BUILD_FOLDER: keeps the engine working with the major version of oneDNN that this
# system does not have. Takes that version from PyPI, compiles what speaks to oneDNN against it, links
# that with the rest of a finished build and runs the tests of convolutions and matrix products.
# Exits with status 77 if pip cannot download it.
set -euo pipefail
cd "$(dirname "$0")/.."
build=$1
cached() { sed -n "s/^$1:[A-Z]*=//p" "$build/CMakeCache.txt"; }

other=2023.2.0  # oneDNN 3.2
if grep -q 'VERSION_MAJOR 3' "$(cached DNNL_INCLUDE_DIR)/oneapi/dnnl/dnnl_version.h"; then
  other=2022.2.1  # oneDNN 2.7
fi

folder=build/onednn-$other
if [ ! -d "$folder" ]; then
  mkdir -p build
  work=$(mktemp -d build/onednn.XXXXXX)
  trap 'rm -rf "$work"' EXIT
  if ! python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: \
    --dest "$work" "onednn-cpu-gomp==$other" "onednn-devel-cpu-gomp==$other"; then
    echo "pip cannot download oneDNN $other" >&2
    exit 77
  fi
  for wheel in "$work"/*.whl; do python3 -m zipfile -e "$wheel" "$work"; done
  mkdir "$work/onednn"
  cp -r "$work"/*.data/data/{include,lib} "$work/onednn"
  mv "$work/onednn" "$folder"
fi

tests=$build/tests/CMakeFiles/test_engine.dir/engine
"$(cached CMAKE_CXX_COMPILER)" -std=c++20 -O1 -fopenmp -Wall -Wextra -Wpedantic -Wshadow -Werror \
  -I. -isystem "$folder/include" engine/cpu/onednn*.cpp engine/cpu/conv/onednn_conv.cpp \
  "$tests"/{cpu/conv/conv_test,matmul_test}.cpp.o "$build"/{tests/libtest_support,libengine}.a \
  -lgtest_main -lgtest "$folder/lib/libdnnl.so" -Wl,-rpath,"$PWD/$folder/lib" -o "$build/test_other_onednn"
"$build/test_other_onednn" --gtest_brief=1
