#!/usr/bin/env bash
# Runs an nvcc command. Saves what ptxas reports about the kernels (-Xptxas=-v) beside the object, in
# OBJECT.ptxas, for tests/kernel_resources.sh.
set -uo pipefail
object=
previous=
for argument in "$@"; do
  [ "$previous" != -o ] || object=$argument
  previous=$argument
done
trap 'rm -f "$object"; exit 1' INT TERM  # an object without its report would not be checked
"$@" 2>"$object.stderr"
status=$?
report='^ptxas info |^    [0-9]+ bytes stack frame'
grep -E "$report" "$object.stderr" >"$object.ptxas"
grep -vE "$report" "$object.stderr" >&2
rm -f "$object.stderr"
exit "$status"
