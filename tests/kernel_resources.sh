#!/usr/bin/env bash
# Checks what ptxas reported about every kernel in the build folder $1: no stack frame, no spilled
# register and at most 48 KiB of static shared memory, the limit of a device. Prints the most that
# any kernel uses, for each architecture.
set -euo pipefail
objects=$(find "$1" -path '*cuda_kernels.dir*' -name '*.cu.o')
[ -n "$objects" ] || { echo "no kernels under $1: build the target cuda_kernels" >&2; exit 1; }
reports=()
for object in $objects; do
  [ -s "$object.ptxas" ] || { echo "no report beside $object: delete it and build again" >&2; exit 1; }
  reports+=("$object.ptxas")
done

# The report has two lines per kernel: its frame and spills, then its registers and memory.
awk '
  /Compiling entry function/ { split($0, quoted, "\047"); kernel = quoted[2]; architecture = quoted[4] }
  /bytes stack frame/ { stack = $1; spilled = $5 + $9 }
  /ptxas info +: Used/ {
    shared = 0; registers = 0
    for (i = 1; i <= NF; ++i) {
      if ($i ~ /^registers/) registers = $(i - 1)
      if ($i ~ /^smem/) shared = $(i - 2)
    }
    ++kernels[architecture]
    if (registers > most[architecture]) { most[architecture] = registers; widest[architecture] = kernel }
    if (shared > largest[architecture]) largest[architecture] = shared
    if (stack > 0 || spilled > 0 || shared > 49152) {
      printf "%s: %s: %d bytes of stack, %d spilled, %d of shared memory\n", architecture, kernel,
        stack, spilled, shared
      failed = 1
    }
  }
  END {
    for (architecture in kernels) {
      printf "%s: %d kernels, at most %d registers (%s) and %d bytes of shared memory\n", architecture,
        kernels[architecture], most[architecture], widest[architecture], largest[architecture]
    }
    if (!("sm_80" in kernels) || !("sm_90" in kernels)) {
      print "expected kernels for sm_80 and sm_90"
      failed = 1
    }
    exit failed
  }' "${reports[@]}"
