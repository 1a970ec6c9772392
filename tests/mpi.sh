#!/usr/bin/env bash
# mpi.sh MPIRUN PROGRAM: runs the tests of PROGRAM (test_mpi) on 1 to 4 ranks, then lets a rank be
# killed, suspended, abort and throw: each time the whole job must end by itself.
set -euo pipefail
mpirun=$1
program=$2

# Open MPI 4 and 5 start as root, and start more ranks than there are cores, only if told. MPICH does
# both, and does not read these variables.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
export OMPI_MCA_rmaps_base_oversubscribe=1 PRTE_MCA_rmaps_default_mapping_policy=:oversubscribe
export OMP_NUM_THREADS=1
log=$(mktemp)
trap 'rm -f "$log"' EXIT

for ranks in 1 2 3 4; do
  timeout 200 "$mpirun" -np $ranks "$program" --gtest_brief=1 --gtest_color=no >"$log" 2>&1 ||
    { cat "$log"; echo "failed: $mpirun -np $ranks" >&2; exit 1; }
  [ "$(grep -c PASSED "$log")" = $ranks ] || { cat "$log"; echo "failed: not all of $ranks ranks ran" >&2; exit 1; }
done
expect() {
  grep -q "$1" "$log" || { cat "$log"; echo "failed: '$1' is not said" >&2; exit 1; }
}
for how in killed suspended aborts throws; do
  status=0
  timeout 30 "$mpirun" -np 3 "$program" $how >"$log" 2>&1 || status=$?
  [ $status != 0 ] && [ $status != 124 ] ||
    { cat "$log"; echo "failed: exit status $status after a rank $how" >&2; exit 1; }
  case $how in
    suspended) expect 'rank 0 on .* has heard nothing from rank 2 on .* for 4 s' ;;
    throws) expect 'the disk is full' ;;
  esac
done
