#include "engine/device.h"

#include "engine/error.h"

namespace engine {

std::ostream& operator<<(std::ostream& out, Device device) {
  if (device.type == Device::Type::cpu) return out << "cpu";
  return out << "cuda:" << device.index;
}

int64_t size_of(DType type) {
  switch (type) {
    case DType::f32:
      return 4;
    case DType::f64:
    case DType::i64:
      return 8;
    case DType::u8:
      return 1;
    case DType::bf16:
    case DType::f16:
      return 2;
  }
  fail("size_of: unknown dtype");
}

std::ostream& operator<<(std::ostream& out, DType type) {
  constexpr const char* names[] = {"f32", "f64", "i64", "u8", "bf16", "f16"};
  return out << names[static_cast<int>(type)];
}

std::ostream& operator<<(std::ostream& out, Layout layout) {
  constexpr const char* names[] = {"plain", "nhwc", "nChw8c", "nChw16c"};
  return out << names[static_cast<int>(layout)];
}

}  // namespace engine
