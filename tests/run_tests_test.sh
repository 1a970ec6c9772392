#!/usr/bin/env bash
# Tests tests/run_tests.sh with a ctest that reports what it is told to.
set -uo pipefail
cd "$(dirname "$0")/.."
source tests/run_tests.sh
may_skip() { [ "$1 $2" = "release engine.Cuda.Adds" ] && echo "no nvcc here"; }
ctest() {
  printf '\t %s\n' "${reported[@]}"
  return "$status"
}

# expect STATUS SKIPS: what run_tests returns, and how many skips it has accepted.
expect() {
  local found=0
  skips=()
  run_tests release >/dev/null 2>&1 || found=$?
  [ "$found ${#skips[@]}" = "$1 $2" ] && return
  echo "run_tests returned $found with ${#skips[@]} skips, expected $1 with $2: ${reported[*]}" >&2
  exit 1
}

status=0 reported=("all tests passed")
expect 0 0
status=0 reported=("3 - engine.Cuda.Adds (Skipped)")
expect 0 1
status=0 reported=("3 - engine.Cuda.Adds (Skipped)" "14 - engine.Matmul.Adds/f32 (Skipped)")
expect 1 1
status=0 reported=("3 - pixpro.Loader.Loads (Not Run)")
expect 1 0
status=8 reported=("3 - engine.Cuda.Adds (Failed)")
expect 1 0
