#!/usr/bin/env bash
# The rules of the layout that no compiler checks.
set -euo pipefail
cd "$(dirname "$0")/.."
failed=0

complain() {
  echo "structure: $1" >&2
  sed 's/^/  /' >&2
  failed=1
}

# forbid MESSAGE PATTERN FOLDER: no source of the folder matches the pattern.
forbid() {
  local hits
  hits=$(grep -rnE --include='*.h' --include='*.cpp' --include='*.cu' --include='*.cuh' "$2" "$3" || true)
  [ -z "$hits" ] || complain "$1" <<<"$hits"
}

includes() { echo "#include +[\"<]($1)/"; }
forbid "engine uses nothing above it" "$(includes 'autograd|layers|pixpro|apps')" engine
forbid "autograd uses the engine only" "$(includes 'layers|pixpro|apps')" autograd
forbid "layers use autograd and engine only" "$(includes 'pixpro|apps')" layers
forbid "pixpro does not use apps" "$(includes 'apps')" pixpro
for folder in engine autograd layers pixpro; do
  forbid "only apps may end the program" '\b(std::)?(exit|quick_exit|abort|terminate)\(' "$folder"
  forbid "no file includes the tests" "$(includes 'tests')" "$folder"
done

long=$(find engine autograd layers pixpro apps tests -name '*.h' -o -name '*.cpp' -o -name '*.cu' -o -name '*.sh' |
  xargs wc -l | awk '$2 != "total" && $1 > 400 { print $1 " lines: " $2 }')
[ -z "$long" ] || complain "files have at most 400 lines" <<<"$long"
exit "$failed"
