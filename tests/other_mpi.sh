#!/usr/bin/env bash
# other_mpi.sh BUILD_FOLDER: the tests of mpi.sh with the MPI that a finished build does not use: MPICH
# beside Open MPI or the other way round, where a system like Debian lets both be installed. Compiles
# what speaks to MPI against it and links that with the rest of the build.
set -euo pipefail
build=$(realpath "$1")
cd "$(dirname "$0")/.."
cached() { sed -n "s/^$1:[A-Z]*=//p" "$build/CMakeCache.txt"; }

other=mpich
if [[ $(realpath "$(cached MPIEXEC_EXECUTABLE)") =~ mpich|hydra ]]; then other=openmpi; fi
if ! command -v mpicxx.$other mpirun.$other >/dev/null; then
  echo "skipped: there is no mpicxx.$other with mpirun.$other here"
  exit 77
fi

mkdir -p "$build/$other"
mpicxx.$other -std=c++20 -O1 -fopenmp -Wall -Wextra -Werror -DOMPI_SKIP_MPICXX -DMPICH_SKIP_MPICXX -I. \
  engine/ranks/mpi/*.cpp tests/mpi/*.cpp "$build"/{tests/libtest_support,libautograd,libengine}.a \
  -lgtest "$(cached DNNL_LIBRARY)" -o "$build/$other/test_mpi"
bash tests/mpi.sh mpirun.$other "$build/$other/test_mpi"
