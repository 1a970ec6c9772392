#include "pixpro/data/codecs/codec.h"
#include "pixpro/data/codecs/jpeg_errors.h"

namespace pixpro {
namespace {

struct Compressor {
  ~Compressor() { jpeg_destroy_compress(&info); }
  jpeg_compress_struct info{};
};

// The most bytes that noise can take: those of its pixels in whole blocks of 16 x 16, and the
// headers.
size_t most_bytes(const Image& image) {
  const auto padded = [](int side) { return (static_cast<size_t>(side) + 15) / 16 * 16; };
  return 3 * padded(image.width) * padded(image.height) + 2048;
}

}  // namespace

std::vector<uint8_t> encode_jpeg(const Image& image, int quality) {
  std::vector<uint8_t> bytes(most_bytes(image));
  unsigned char* out = bytes.data();
  unsigned long size = bytes.size();
  JpegErrors errors;
  Compressor compressor;
  jpeg_compress_struct& info = compressor.info;
  errors.attach(info);
  errors.guard([&] {
    jpeg_create_compress(&info);
    jpeg_mem_dest(&info, &out, &size);
    info.image_width = static_cast<JDIMENSION>(image.width);
    info.image_height = static_cast<JDIMENSION>(image.height);
    info.input_components = 3;
    info.in_color_space = JCS_RGB;
    jpeg_set_defaults(&info);
    jpeg_set_quality(&info, quality, TRUE);
    jpeg_start_compress(&info, TRUE);
    for (int y = 0; y < image.height; ++y) {
      JSAMPROW row = const_cast<JSAMPROW>(image.row(y));
      jpeg_write_scanlines(&info, &row, 1);
    }
    jpeg_finish_compress(&info);
  });
  bytes.resize(size);
  return bytes;
}

}  // namespace pixpro
