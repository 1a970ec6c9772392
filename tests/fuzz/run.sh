#!/usr/bin/env bash
# Runs libFuzzer's targets, all or the named ones, each for the given number of seconds:
#   bash tests/fuzz/run.sh SECONDS [TARGET...]
# The inputs that they collect stay in build/fuzz/corpus, those that break them in build/fuzz/broken.
# Needs clang++ with its sanitizers, and exits with status 77 without them. Has its own build folder.
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:?how many seconds per target}
shift
echo 'extern "C" int LLVMFuzzerTestOneInput(const unsigned char*, unsigned long) { return 0; }' |
  clang++ -fsanitize=fuzzer,address,undefined -x c++ - -o /dev/null ||
  { echo "fuzz: no clang++ that makes fuzzers (Debian: clang libclang-rt-dev)" >&2; exit 77; }

cmake --preset fuzz >/dev/null
cmake --build --preset fuzz
[ $# -gt 0 ] || set -- bmp gif jpeg png pnm psd tga tiff webp image map pack zip
mkdir -p build/fuzz/broken
for target in "$@"; do
  fuzzer=build/fuzz/tests/fuzz/fuzz_$target
  corpus=build/fuzz/corpus/$target
  mkdir -p "$corpus"
  "$fuzzer" --write-seeds "$corpus"
  echo "== $target, $seconds s"
  "$fuzzer" -max_total_time="$seconds" -timeout=150 -rss_limit_mb=3000 -max_len=65536 -print_final_stats=1 \
    -close_fd_mask=1 -artifact_prefix="build/fuzz/broken/$target-" "$corpus" 2>build/fuzz/log ||
    { tail -40 build/fuzz/log >&2; exit 1; }
  grep -E 'DONE|number_of_executed_units|peak_rss_mb' build/fuzz/log
done
