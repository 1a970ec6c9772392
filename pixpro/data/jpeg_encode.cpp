#include <turbojpeg.h>

#include <memory>
#include <type_traits>

#include "engine/error.h"
#include "pixpro/data/codec.h"

namespace pixpro {
namespace {

struct Destroy {
  void operator()(void* handle) const { tjDestroy(handle); }
};

}  // namespace

std::vector<uint8_t> encode_jpeg(const Image& image, int quality) {
  const std::unique_ptr<std::remove_pointer_t<tjhandle>, Destroy> handle(tjInitCompress());
  engine::require(handle != nullptr, "JPEG: cannot start the encoder: ", tjGetErrorStr2(nullptr));
  std::vector<uint8_t> bytes(tjBufSize(image.width, image.height, TJSAMP_420));
  uint8_t* out = bytes.data();
  unsigned long size = bytes.size();
  const int status =
      tjCompress2(handle.get(), image.rgb.data(), image.width, 0, image.height, TJPF_RGB, &out,
                  &size, TJSAMP_420, quality, TJFLAG_ACCURATEDCT | TJFLAG_NOREALLOC);
  engine::require(status == 0, "JPEG: cannot encode ", image.width, " x ", image.height,
                  " pixels: ", tjGetErrorStr2(handle.get()));
  bytes.resize(size);
  return bytes;
}

}  // namespace pixpro
