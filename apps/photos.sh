#!/usr/bin/env bash
# photos.sh FOLDER: fills FOLDER with several hundred overlapping 400 x 400 tiles of the photographs
# in Debian's wallpaper packages (see packages.sh). A folder that exists is complete and stays as it
# is.
set -euo pipefail
folder=$1
[ ! -d "$folder" ] || exit 0

tile=400 step=200 shorter_side=800
share=/usr/share
photos=()
for photo in "$share"/backgrounds/*_by_*.jpg "$share"/backgrounds/mate/nature/*.jpg \
  "$share"/lxqt/wallpapers/{after-the-rain.jpg,appleflower.png,butterfly.png,Butterfly-Kenneth-Wimer.jpg} \
  "$share"/lxqt/wallpapers/{cloud.png,drop.png,flowers.png,fog.jpg,this-is-not-windows.jpg,Valendas.png}; do
  [ ! -f "$photo" ] || photos+=("$photo")
done
if [ ${#photos[@]} -eq 0 ]; then
  echo "photos.sh: none of the photographs is in $share; put images of your own into $folder" >&2
  exit 1
fi

# ImageMagick 7 has a single program, and warns when it is called by the names of version 6.
if command -v magick >/dev/null; then
  convert() { magick "$@"; }
  identify() { magick identify "$@"; }
fi

mkdir -p "$(dirname "$folder")"
work=$(mktemp -d "$(dirname "$folder")/photos.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir "$work/tiles"
for photo in "${photos[@]}"; do
  name=$(basename "${photo%.*}")
  # MPC is ImageMagick's own format for memory: the photograph is decoded and shrunk only once.
  convert -quiet "$photo" -strip -resize "${shorter_side}x${shorter_side}^" "$work/photo.mpc"
  read -r width height < <(identify -format '%w %h\n' "$work/photo.mpc")
  for ((y = 0; y + tile <= height; y += step)); do
    for ((x = 0; x + tile <= width; x += step)); do
      convert "$work/photo.mpc" -crop "${tile}x${tile}+$x+$y" +repage -strip -quality 90 \
        "$work/tiles/${name}_${y}_${x}.jpg"
    done
  done
done
mv "$work/tiles" "$folder"  # the last step, so an interrupted run starts afresh
echo "Cut $(find "$folder" -name '*.jpg' | wc -l) tiles from ${#photos[@]} photographs into $folder"
