# The packages of Debian 12, Debian 13 and Ubuntu 24.04 that the project needs, and their
# installation. Source it, then for example
#   install_missing "${build_packages[@]}"
# Names joined by | are those of one package on different systems; any one of them will do.

build_packages=(g++ cmake ninja-build 'pkg-config|pkgconf' libdnnl-dev 'libjpeg62-turbo-dev|libjpeg-dev'
  libpng-dev libtiff-dev libwebp-dev libzip-dev libstb-dev nlohmann-json3-dev libcli11-dev)
# Either MPI will do to start ranks by mpirun; the tests try both.
mpi_packages=(libopenmpi-dev openmpi-bin libmpich-dev mpich)
test_packages=(libgtest-dev libbenchmark-dev python3-pip clang libclang-rt-dev iproute2 "${mpi_packages[@]}")
photo_packages=(lomiri-wallpapers-16.04 mate-backgrounds lxqt-themes imagemagick)

is_installed() {
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

is_offered() {
  [ -n "$(apt-cache madison "$1" 2>/dev/null)" ]
}

# first_that TEST NAMES: the first of the names joined by | that passes the test; fails if none does.
first_that() {
  local name names
  IFS='|' read -ra names <<<"$2"
  for name in "${names[@]}"; do
    if "$1" "$name"; then
      echo "$name"
      return
    fi
  done
  return 1
}

# Installs those of the named packages that are missing, as root or with sudo. Names what it cannot
# install and goes on: CMake says in which version what is needed.
install_missing() {
  if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    echo "There is no apt here. If they are missing, install what corresponds to these Debian packages: $*" >&2
    return
  fi
  local names package missing=() offered=() as_root=()
  for names in "$@"; do
    first_that is_installed "$names" >/dev/null || missing+=("$names")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  if [ "$(id -u)" != 0 ]; then
    if ! command -v sudo >/dev/null; then
      echo "These packages are missing: ${missing[*]}. Run this as root, or install sudo." >&2
      return 1
    fi
    as_root=(sudo)
  fi
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -qq
  for names in "${missing[@]}"; do
    if package=$(first_that is_offered "$names"); then
      offered+=("$package")
    else
      echo "This system offers no package $names. Install what corresponds to it, if it is missing." >&2
    fi
  done
  [ ${#offered[@]} -gt 0 ] || return 0
  echo "Installing ${offered[*]}"
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -qq -y --no-install-recommends "${offered[@]}" >/dev/null
}
