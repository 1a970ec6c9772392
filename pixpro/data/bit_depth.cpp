#include "pixpro/data/bit_depth.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <new>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/arithmetic.h"
#include "engine/error.h"
#include "engine/random.h"
#include "pixpro/data/sources/file_bytes.h"

namespace pixpro {
namespace {

constexpr int64_t kMostDrawn = 1024;  // names that are looked at
constexpr int64_t kMostWide = 64;     // images that are decoded
constexpr int64_t kFirstLook = 64;    // files that are read if none of them is wide

// Image numbers in random order, at most one from each of kMostDrawn equal parts of the list.
// Random, because a folder may hold pairs of an 8-bit and a 16-bit image in turn.
std::vector<int64_t> draw(int64_t images) {
  engine::Random random(0);
  std::vector<int64_t> drawn;
  engine::for_parts(images, std::min(images, kMostDrawn), [&](int64_t begin, int64_t count) {
    drawn.push_back(begin + random.below(count));
  });
  for (auto left = static_cast<int64_t>(drawn.size()); left > 1; --left) {
    std::swap(drawn[static_cast<size_t>(left - 1)], drawn[static_cast<size_t>(random.below(left))]);
  }
  return drawn;
}

bool is_named_as_8_bit(std::string name) {
  std::ranges::transform(name, name.begin(), [](unsigned char c) { return std::tolower(c); });
  constexpr std::array<std::string_view, 9> kEndings{".jpg", ".jpeg", ".jpe",  ".jfif", ".jif",
                                                     ".gif", ".bmp",  ".webp", ".tga"};
  return std::ranges::any_of(kEndings, [&](std::string_view end) { return name.ends_with(end); });
}

// read(buffer) gives the bytes of the image.
template <class Read>
void add(const Read& read, std::vector<uint8_t>& buffer, BitDepthEstimate& estimate) {
  try {
    const std::optional<uint32_t> largest = largest_wide_sample(read(buffer));
    if (!largest) return;
    ++estimate.wide_images;
    estimate.largest_sample = std::max(estimate.largest_sample, *largest);
  } catch (const LostFile&) {
  } catch (const engine::ReadError&) {
    throw;                          // storage that is away must not decide how many bits there are
  } catch (const engine::Error&) {  // who decodes it next reports it
  } catch (const std::bad_alloc&) {
  }
}

}  // namespace

int BitDepthEstimate::bit_depth() const {
  if (wide_images == 0) return 16;
  for (const int bits : {8, 10, 12, 14}) {
    if (largest_sample >> bits == 0) return bits;
  }
  return 16;
}

BitDepthEstimate estimate_bit_depth(const std::filesystem::path& image) {
  BitDepthEstimate estimate;
  std::vector<uint8_t> bytes;
  const auto read = [&](std::vector<uint8_t>& buffer) -> Bytes {
    read_file(image, buffer);
    return buffer;
  };
  add(read, bytes, estimate);
  return estimate;
}

BitDepthEstimate estimate_bit_depth(const Source& source) {
  BitDepthEstimate estimate;
  std::vector<uint8_t> buffer;
  int64_t read = 0;
  for (const int64_t i : draw(source.size())) {
    if (is_named_as_8_bit(source.name(i))) continue;
    add([&](std::vector<uint8_t>& bytes) { return source.read(i, bytes); }, buffer, estimate);
    ++read;
    if (estimate.wide_images == kMostWide) break;
    if (estimate.wide_images == 0 && read == kFirstLook) break;
  }
  return estimate;
}

}  // namespace pixpro
