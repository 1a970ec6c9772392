# Runs tests with ctest. A selection that matches no test is a failure, and so is a test that does not
# run, unless it may skip itself. Source it, and define may_skip first:
#   may_skip PRESET TEST: succeeds if that test need not run, and prints why.

cuda_test_names='[Cc]uda|^emulated'  # what tests of the CUDA backend are called, for ctest's -R and -E
skips=()                             # what did not run, and why

# The tests that the ctest output on stdin says did not run: skipped, disabled or not built.
not_run() { sed -nE 's/^[[:space:]]+[0-9]+ - (.*) \((Skipped|Disabled|Not Run)\)$/\1/p'; }

# run_tests PRESET [ARGUMENTS OF CTEST]...
# As many tests run at once as there are cores. Most use one core or wait, and threads of OpenMP that
# wait for work leave theirs to the others.
run_tests() {
  local preset=$1 log test why failed=0
  log=$(mktemp)
  OMP_WAIT_POLICY=passive ctest --preset "$preset" -j "$(nproc)" --no-tests=error "${@:2}" | tee "$log" || { rm -f "$log"; return 1; }
  while read -r test; do
    if why=$(may_skip "$preset" "$test"); then
      skips+=("$preset: $test: $why")
    else
      echo "failed: $test of preset $preset did not run" >&2
      failed=1
    fi
  done < <(not_run <"$log")
  rm -f "$log"
  return "$failed"
}

# Prints how much did not run, and why.
report_skips() {
  echo "skipped: ${#skips[@]}"
  [ ${#skips[@]} = 0 ] || printf '  %s\n' "${skips[@]}"
}
