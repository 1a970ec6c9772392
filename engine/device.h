// Where a tensor is stored, the type of its elements and their order in memory.
#pragma once

#include <cstdint>
#include <ostream>
#include <string>

namespace engine {

#ifdef PIXPRO_CUDA
inline constexpr bool kHasCuda = true;
#else
inline constexpr bool kHasCuda = false;
#endif

struct Device {
  enum class Type : uint8_t { cpu, cuda };
  Type type = Type::cpu;
  int index = 0;
  bool operator==(const Device&) const = default;
};

inline constexpr Device kCpu{};

std::ostream& operator<<(std::ostream&, Device);

// bf16 and f16 are for activations on CUDA. On the CPU only convert() takes bf16.
enum class DType : uint8_t { f32, f64, i64, u8, bf16, f16 };
int64_t size_of(DType);  // bytes of one element
inline bool is_low_precision(DType type) { return type == DType::bf16 || type == DType::f16; }
// The type of parameters, statistics and losses that go with activations of `type`.
inline DType at_least_f32(DType type) { return is_low_precision(type) ? DType::f32 : type; }
std::ostream& operator<<(std::ostream&, DType);

template <class T>
constexpr DType dtype_of();
template <>
constexpr DType dtype_of<float>() {
  return DType::f32;
}
template <>
constexpr DType dtype_of<double>() {
  return DType::f64;
}
template <>
constexpr DType dtype_of<int64_t>() {
  return DType::i64;
}
template <>
constexpr DType dtype_of<uint8_t>() {
  return DType::u8;
}

// The order of the elements of a [N,C,H,W] tensor in memory; all other tensors are plain.
//   plain        row-major, as the shape is written
//   nhwc         [N,H,W,C]
//   blocked8/16  [N, C/b, H, W, b] with b = 8 or 16; C must be a multiple of b
enum class Layout : uint8_t { plain, nhwc, blocked8, blocked16 };
std::ostream& operator<<(std::ostream&, Layout);

}  // namespace engine
