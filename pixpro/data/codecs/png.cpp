// libpng reports errors with longjmp, which must not jump over objects with destructors. Therefore
// two small functions use plain pointers only, and return whether all went well.
#include <png.h>

#include <algorithm>
#include <array>
#include <csetjmp>
#include <cstring>
#include <string>

#include "engine/error.h"
#include "pixpro/data/codecs/codec.h"

namespace pixpro {
namespace {

class Reader {
 public:
  Reader(Bytes bytes, WideSamples& wide) : left_(bytes), wide_(wide) {
    png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, this, fail, ignore_warning);
    if (png_ != nullptr) info_ = png_create_info_struct(png_);
    if (info_ == nullptr) png_destroy_read_struct(&png_, nullptr, nullptr);
    engine::require(png_ != nullptr, "PNG: not enough memory for the decoder");
  }
  ~Reader() { png_destroy_read_struct(&png_, &info_, nullptr); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  // Reads everything before the pixels and asks for three channels of 8 bits: gray is repeated, a
  // palette looked up, alpha dropped (not blended), and 16 bits go through `wide`. Gamma, profiles
  // and texts are skipped.
  bool read_header() {
    if (setjmp(png_jmpbuf(png_)) != 0) return false;
    png_set_read_fn(png_, this, take_bytes);
    png_set_keep_unknown_chunks(png_, PNG_HANDLE_CHUNK_NEVER, nullptr, -1);  // all ancillary ones
    png_set_keep_unknown_chunks(png_, PNG_HANDLE_CHUNK_AS_DEFAULT,
                                reinterpret_cast<png_const_bytep>("sBIT"), 1);
    png_set_user_limits(png_, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION  // a fuzzer cannot guess checksums
    png_set_crc_action(png_, PNG_CRC_QUIET_USE, PNG_CRC_QUIET_USE);
#endif
    png_read_info(png_, info_);
    png_set_expand(png_);
    png_set_strip_alpha(png_);
    png_set_gray_to_rgb(png_);
    if (png_get_bit_depth(png_, info_) == 16) {
      note_significant_bits();
      png_set_read_user_transform_fn(png_, narrow_row);  // the last of libpng's steps
      png_set_user_transform_info(png_, &wide_, 8, 3);
    }
    return true;
  }

  bool read_pixels(uint8_t* pixels) {
    if (setjmp(png_jmpbuf(png_)) != 0) return false;
    const int passes = png_set_interlace_handling(png_);
    png_read_update_info(png_, info_);
    if (png_get_rowbytes(png_, info_) != 3 * size_t{width()}) png_error(png_, "not three channels");
    for (int pass = 0; pass < passes; ++pass) {
      for (uint32_t y = 0; y < height(); ++y) {
        png_read_row(png_, pixels + 3 * size_t{width()} * y, nullptr);
      }
    }
    return true;
  }

  uint32_t width() const { return png_get_image_width(png_, info_); }
  uint32_t height() const { return png_get_image_height(png_, info_); }
  size_t stored_bytes() const { return png_get_rowbytes(png_, info_) * height(); }
  const char* message() const { return message_.data(); }

 private:
  static void fail(png_structp png, png_const_charp message) {
    auto* self = static_cast<Reader*>(png_get_error_ptr(png));
    std::strncpy(self->message_.data(), message, self->message_.size() - 1);
    png_longjmp(png, 1);
  }
  // sBIT says how many bits the samples had before they were scaled to 16. Many writers do not
  // scale.
  void note_significant_bits() {
    png_color_8p bits = nullptr;
    if (png_get_sBIT(png_, info_, &bits) == 0) return;
    const bool is_gray = (png_get_color_type(png_, info_) & PNG_COLOR_MASK_COLOR) == 0;
    const int most = is_gray ? bits->gray : std::max({bits->red, bits->green, bits->blue});
    wide_.note((1u << std::clamp(most, 1, 16)) - 1);
  }
  static void narrow_row(png_structp png, png_row_infop row, png_bytep samples) {
    auto& wide = *static_cast<WideSamples*>(png_get_user_transform_ptr(png));
    const size_t count = size_t{row->width} * row->channels;
    uint32_t largest = 0;
    // The bytes replace the samples. A copy of a few at a time lets the compiler use vectors.
    std::array<uint8_t, 256> bytes;
    for (size_t first = 0; first < count; first += bytes.size()) {
      const size_t some = std::min(bytes.size(), count - first);
      for (size_t i = 0; i < some; ++i) {
        const uint8_t* at = samples + 2 * (first + i);
        const uint32_t sample = uint32_t{at[0]} << 8 | at[1];
        largest = std::max(largest, sample);
        bytes[i] = wide.to_byte(sample);
      }
      std::copy_n(bytes.begin(), some, samples + first);
    }
    wide.note(largest);
  }
  static void ignore_warning(png_structp, png_const_charp) {}
  static void take_bytes(png_structp png, png_bytep out, size_t count) {
    auto* self = static_cast<Reader*>(png_get_io_ptr(png));
    if (count > self->left_.size()) png_error(png, "the file is cut short");
    std::copy_n(self->left_.begin(), count, out);
    self->left_ = self->left_.subspan(count);
  }

  Bytes left_;
  WideSamples& wide_;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  std::array<char, 100> message_{};
};

}  // namespace

bool is_png(Bytes bytes) {
  constexpr std::array<uint8_t, 8> kSignature{0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};
  return bytes.size() >= kSignature.size() &&
         std::equal(kSignature.begin(), kSignature.end(), bytes.begin());
}

bool is_wide_png(Bytes bytes) {
  constexpr size_t kBitDepthAt = 24;  // in IHDR, which is the first chunk
  return bytes.size() > kBitDepthAt && bytes[kBitDepthAt] == 16;
}

Image decode_png(Bytes bytes, WideSamples& wide) {
  Reader reader(bytes, wide);
  engine::require(reader.read_header(), "PNG: ", reader.message());
  require_decodable_size(reader.width(), reader.height());
  // Deflate packs at most 1032 bytes into one byte.
  engine::require(reader.stored_bytes() / 1032 <= bytes.size(), "PNG: ", bytes.size(),
                  " bytes cannot hold ", reader.width(), " x ", reader.height(), " pixels");
  Image image(static_cast<int>(reader.width()), static_cast<int>(reader.height()));
  engine::require(reader.read_pixels(image.rgb.data()), "PNG: ", reader.message());
  return image;
}

std::vector<uint8_t> encode_png(const Image& image) {
  png_image header{};
  header.version = PNG_IMAGE_VERSION;
  header.width = static_cast<uint32_t>(image.width);
  header.height = static_cast<uint32_t>(image.height);
  header.format = PNG_FORMAT_RGB;
  std::vector<uint8_t> bytes(PNG_IMAGE_PNG_SIZE_MAX(header));
  size_t size = bytes.size();
  const int written =
      png_image_write_to_memory(&header, bytes.data(), &size, 0, image.rgb.data(), 0, nullptr);
  engine::require(written != 0, "PNG: cannot encode ", image.width, " x ", image.height,
                  " pixels: ", static_cast<const char*>(header.message));
  bytes.resize(size);
  return bytes;
}

}  // namespace pixpro
