#!/usr/bin/env bash
# The rules of the layout that no compiler checks. A complaint lists the places and says what to do.
set -euo pipefail
shopt -s globstar
cd "$(dirname "$0")/.."
layers=(engine autograd layers pixpro apps)
tops='engine|autograd|layers|pixpro|apps|tests|docs|examples'
failed=0

# complain MESSAGE PLACES: fails if there are any.
complain() {
  [ -n "$2" ] || return 0
  echo "structure: $1" >&2
  sed 's/^/  /' <<<"$2" >&2
  failed=1
}

sources() { find "$@" -name '*.h' -o -name '*.cpp' -o -name '*.cu' -o -name '*.cuh'; }
# matches PATTERN FOLDER...: the lines of sources that match, with their places.
matches() { sources "${@:2}" | xargs grep -nE "$1" || true; }

# may_include FOLDER OTHERS: the headers of this project that a folder includes are those of OTHERS.
may_include() {
  [ -d "$1" ] || return 0
  complain "$1 may include only ${2//|/, }: move what both sides need down into one of these" \
    "$(matches "^#include +[\"<]($tops)/" "$1" | grep -vE "#include +[\"<]($2)/" || true)"
}
below='engine|autograd|layers'
may_include engine 'engine'
may_include autograd 'engine|autograd'
may_include layers "$below"
may_include pixpro "$below|pixpro"
may_include apps "$below|pixpro|apps"
may_include pixpro/data "$below|pixpro/data"
may_include pixpro/method "$below|pixpro/method"
may_include pixpro/weights "$below|pixpro/(method|weights)"
may_include pixpro/train "$below|pixpro/(data|method|weights|train)"
may_include pixpro/report "$below|pixpro/(data|method|train|report)"

complain "engine/kernels is the contract of all devices: it must not include the folder of any" \
  "$(matches '#include "engine/(cpu|cuda)/' engine/kernels)"
complain "only apps may end the program: throw engine::Error" \
  "$(matches '\b(std::)?(exit|quick_exit|terminate)\(|\bstd::abort\(' engine autograd layers pixpro)"

complain "a file has at most 400 lines: split it by idea" \
  "$({ sources "${layers[@]}" tests; find apps tests -name '*.sh'; } | xargs wc -l |
    awk '$2 != "total" && $1 > 400 { print $2 ": " $1 }')"
complain "a folder has at most 25 sources: give one of its ideas a folder of its own" \
  "$(sources "${layers[@]}" tests | xargs dirname | sort | uniq -c | awk '$1 > 25 { print $2 ": " $1 }')"

complain "tests/<layer> has the folders of <layer>, and in any of them one called cuda: move the tests" \
  "$(cd tests; for folder in $(find "${layers[@]}" -type d); do
    [ -d "../${folder%/cuda}" ] || echo "tests/$folder"
  done)"
complain "tests/run.sh selects CUDA tests by name: in a folder called cuda suites begin with Cuda" \
  "$(matches '^TEST(_F|_P)?\(' tests/*/**/cuda | grep -vE 'TEST(_F|_P)?\(Cuda' || true)"
complain "tests/<layer> must run on GPUs too: move what needs the emulation to tests/emulated" \
  "$(matches '#include "tests/cuda_emulation/' "${layers[@]/#/tests/}" tests/support)"
complain "tests/emulated is for what needs the emulation: move the rest to tests/<layer>/cuda" \
  "$(grep -L '#include "tests/cuda_emulation/' tests/emulated/*.cpp || true)"

# missing_from PAGE: the paths (also with {a,b} and *) and links in it that lead nowhere.
missing_from() {
  local words path
  for words in $(grep -oP "(?<![\w/.<-])($tops)/[\w./{},*-]*[\w}*]" "$1" | sort -u); do
    for path in $(eval "echo $words"); do [ -e "$path" ] || echo "$1: $path"; done
  done
  for path in $(grep -oP '\]\(\K[\w./-]+(?=[)#])' "$1"); do
    [ -e "$(dirname "$1")/$path" ] || echo "$1: $path"
  done
}
complain "a page names files that do not exist: name the present ones" \
  "$(for page in *.md {docs,examples,engine,autograd,layers,pixpro,apps,tests}/**/*.md; do
    [ ! -e "$page" ] || [ "$page" = CHANGELOG.md ] || missing_from "$page"
  done)"
exit "$failed"
