# Runs tests of the CUDA backend in a build that can: there a skipped test is a failure. Source it.

cuda_test_names='[Cc]uda|^emulated'  # what these are called, for ctest's -R and -E

# How many tests of the ctest output on stdin did not run: skipped, disabled or not built.
count_not_run() { grep -cE '^[[:space:]]+[0-9]+ - .* \((Skipped|Disabled|Not Run)\)$' || true; }

# cuda_tests PRESET NAMES: runs the tests whose names match; fails if one of them fails or does not
# run, or if none matches.
cuda_tests() {
  local log missing
  log=$(mktemp)
  ctest --preset "$1" --no-tests=error -R "$2" | tee "$log" || { rm -f "$log"; return 1; }
  missing=$(count_not_run <"$log")
  rm -f "$log"
  [ "$missing" = 0 ] || { echo "failed: $missing tests of preset $1 did not run" >&2; return 1; }
}
