#include "tests/fuzz/targets.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "engine/error.h"
#include "engine/random.h"
#include "pixpro/data/codecs/codec.h"
#include "pixpro/data/sources/packed.h"
#include "pixpro/data/sources/source.h"
#include "pixpro/data/sources/zip_map.h"
#include "tests/support/temp_dir.h"

namespace fuzz {
namespace {

namespace fs = std::filesystem;

// A decoded image has as many pixels as it claims.
void expect_whole(const pixpro::Image& image) {
  const bool whole = image.width >= 1 && image.height >= 1 &&
                     image.rgb.size() == static_cast<size_t>(3 * image.pixels());
  if (!whole) __builtin_trap();
}

using Decode = pixpro::Image (*)(pixpro::Bytes);
using IsIt = bool (*)(pixpro::Bytes);

template <IsIt is_it, Decode decode>
void decode_format(Bytes bytes) {
  if (is_it(bytes)) expect_whole(decode(bytes));
}

// For formats that have samples of 16 bits. The bytes say which bit depth is tried.
template <IsIt is_it, pixpro::Image (*decode)(Bytes, pixpro::WideSamples&)>
void decode_wide_format(Bytes bytes) {
  if (!is_it(bytes)) return;
  const bool expected = pixpro::has_wide_samples(bytes);
  pixpro::WideSamples wide(8 + static_cast<int>(bytes.size() % 9));
  expect_whole(decode(bytes, wide));
  if (wide.largest().has_value() != expected) __builtin_trap();
}

template <void (*run)(Bytes)>
void keep_errors(Bytes bytes) {
  try {
    run(bytes);
  } catch (const engine::Error&) {
  }
}

// The whole image, then a region of it.
void decode_jpeg_and_region(Bytes bytes) {
  if (!pixpro::is_jpeg(bytes)) return;
  keep_errors<decode_format<pixpro::is_jpeg, pixpro::decode_jpeg>>(bytes);
  const std::unique_ptr<pixpro::Decoder> decoder = pixpro::open_jpeg(bytes);
  engine::Random random(bytes.size(), bytes.back());
  const auto [width, height] = decoder->size();
  pixpro::Box box;
  box.left = static_cast<int>(random.below(width));
  box.top = static_cast<int>(random.below(height));
  box.width = 1 + static_cast<int>(random.below(width - box.left));
  box.height = 1 + static_cast<int>(random.below(height - box.top));
  expect_whole(decoder->decode(box));
}

void decode_any(Bytes bytes) { expect_whole(pixpro::decode_image(bytes)); }

void read_map(Bytes bytes) {
  const auto paths = pixpro::parse_map({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  for (int64_t i = 0; i < paths.size(); ++i) {
    if (paths[i].empty() || paths[i].find('\n') != std::string_view::npos) __builtin_trap();
  }
}

void read_pack(Bytes bytes) {
  const pixpro::PackIndex index(
      static_cast<int64_t>(bytes.size()), [&](int64_t offset, std::span<std::byte> target) {
        std::ranges::copy(std::as_bytes(bytes.subspan(static_cast<size_t>(offset), target.size())),
                          target.begin());
      });
  uint64_t sum = 0;
  for (int64_t i = 0; i < index.size(); ++i) {
    const auto [offset, size] = index.image(i);
    const Bytes image = bytes.subspan(static_cast<size_t>(offset), static_cast<size_t>(size));
    for (const uint8_t byte : image) sum += byte;
    sum += index.name(i).size();
  }
  [[maybe_unused]] volatile uint64_t read = sum;
}

// Reads the two entries that seed.zip has from an archive of these bytes.
void read_zip(Bytes bytes) {
  static const test_support::TempDir folder;
  static const bool listed = [] {
    std::ofstream(folder.path() / "train_map.txt") << "a.png\t0\nb.png\t1\n";
    return true;
  }();
  if (!listed) return;
  std::ofstream(folder.path() / "train.zip", std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
  const auto source = pixpro::open_zip(folder.path());
  std::vector<uint8_t> buffer;
  for (int64_t i = 0; i < source->size(); ++i) {
    try {
      source->read(i, buffer);
    } catch (const engine::Error&) {
    }
  }
}

}  // namespace

const std::vector<Target>& targets() {
  using namespace pixpro;
  static const std::vector<Target> all = {
      {"bmp", keep_errors<decode_format<is_bmp, decode_bmp>>, {".bmp"}},
      {"gif", keep_errors<decode_format<is_gif, decode_gif>>, {".gif"}},
      {"jpeg", keep_errors<decode_jpeg_and_region>, {".jpg"}},
      {"png", keep_errors<decode_wide_format<is_png, decode_png>>, {".png"}},
      {"pnm", keep_errors<decode_wide_format<is_pnm, decode_pnm>>, {".pgm", ".ppm"}},
      {"psd", keep_errors<decode_wide_format<is_psd, decode_psd>>, {".psd"}},
      {"tga", keep_errors<decode_format<is_tga, decode_tga>>, {".tga"}},
      {"tiff", keep_errors<decode_wide_format<is_tiff, decode_tiff>>, {".tif"}},
      {"webp", keep_errors<decode_format<is_webp, decode_webp>>, {".webp"}},
      {"image",
       keep_errors<decode_any>,
       {".bmp", ".gif", ".jpg", ".pgm", ".psd", ".tga", ".tif", ".webp"}},
      {"map", keep_errors<read_map>, {"seed.map"}},
      {"pack", keep_errors<read_pack>, {"seed.pack"}},
      {"zip", keep_errors<read_zip>, {"seed.zip"}}};
  return all;
}

const Target& target(const std::string& name) {
  const auto found =
      std::ranges::find_if(targets(), [&](const Target& t) { return t.name == name; });
  engine::require(found != targets().end(), "no fuzz target '", name, "'");
  return *found;
}

std::vector<std::vector<uint8_t>> seeds_of(const Target& target) {
  std::vector<std::string> files;
  for (const char* folder : {"decode", "decode_odd", "fuzz"}) {
    for (const auto& entry : fs::directory_iterator(fs::path(PIXPRO_GOLDEN_DIR) / folder)) {
      const std::string name = entry.path().filename();
      const bool fits =
          std::ranges::any_of(target.seeds, [&](const auto& end) { return name.ends_with(end); });
      if (fits && !name.starts_with("expected_")) files.push_back(entry.path());
    }
  }
  std::ranges::sort(files);
  std::vector<std::vector<uint8_t>> seeds;
  for (const std::string& file : files) {
    std::ifstream in(file, std::ios::binary);
    seeds.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
  }
  return seeds;
}

}  // namespace fuzz
