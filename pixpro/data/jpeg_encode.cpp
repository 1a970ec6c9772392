#include <cstddef>
#include <cstdio>
#include <cstdlib>
// jpeglib.h needs the C headers above.
#include <jpeglib.h>

#include <csetjmp>
#include <memory>

#include "engine/error.h"
#include "pixpro/data/codec.h"

namespace pixpro {
namespace {

// As in jpeg.cpp: libjpeg's call for trouble must not return.
struct Trouble {
  jpeg_error_mgr manager;
  std::jmp_buf entry;
  char message[JMSG_LENGTH_MAX];
};

void jump_back(j_common_ptr info) {
  auto* trouble = reinterpret_cast<Trouble*>(info->err);
  trouble->manager.format_message(info, trouble->message);
  std::longjmp(trouble->entry, 1);
}

struct Compressor {
  ~Compressor() {
    jpeg_destroy_compress(&info);
    std::free(bytes);
  }
  jpeg_compress_struct info{};
  unsigned char* bytes = nullptr;  // allocated by libjpeg
  unsigned long size = 0;
};

}  // namespace

std::vector<uint8_t> encode_jpeg(const Image& image, int quality) {
  Trouble trouble{};
  Compressor compressor;
  jpeg_compress_struct& info = compressor.info;
  info.err = jpeg_std_error(&trouble.manager);
  trouble.manager.error_exit = jump_back;
  if (setjmp(trouble.entry) != 0) engine::fail("JPEG: ", trouble.message);
  jpeg_create_compress(&info);
  jpeg_mem_dest(&info, &compressor.bytes, &compressor.size);
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
  return {compressor.bytes, compressor.bytes + compressor.size};
}

}  // namespace pixpro
