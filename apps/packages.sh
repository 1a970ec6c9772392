# Debian packages that the project needs, and their installation. Source it, then for example
#   install_missing "${build_packages[@]}"

build_packages=(g++ cmake ninja-build pkg-config libdnnl-dev libjpeg62-turbo-dev libpng-dev libtiff-dev
  libwebp-dev libzip-dev nlohmann-json3-dev libcli11-dev)
test_packages=(libgtest-dev libbenchmark-dev clang-format)
photo_packages=(lomiri-wallpapers-16.04 mate-backgrounds lxqt-themes imagemagick)

is_installed() {
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# Installs those of the named packages that are missing, as root or with sudo.
install_missing() {
  if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    echo "There is no apt here. Install what corresponds to these Debian packages: $*" >&2
    return 1
  fi
  local package missing=() as_root=()
  for package in "$@"; do
    is_installed "$package" || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  if [ "$(id -u)" != 0 ]; then
    if ! command -v sudo >/dev/null; then
      echo "These packages are missing: ${missing[*]}. Run this as root, or install sudo." >&2
      return 1
    fi
    as_root=(sudo)
  fi
  echo "Installing ${missing[*]}"
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -qq
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null
}
