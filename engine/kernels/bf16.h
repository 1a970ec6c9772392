// The elements of bf16 tensors on the CPU.
#pragma once

#include <bit>
#include <cmath>
#include <concepts>

#include "engine/context.h"

namespace engine {

// The upper half of a float: its range with 8 bits of precision.
class BFloat16 {
 public:
  BFloat16() = default;
  // Rounds to nearest, ties to even: a relative error of at most 2^-8.
  template <std::floating_point T>
  explicit BFloat16(T value) {
    const auto bits = std::bit_cast<uint32_t>(static_cast<float>(value));
    const uint32_t half = 0x7fffU + (bits >> 16 & 1U);
    // Rounding could turn a NaN into infinity.
    bits_ = static_cast<uint16_t>(std::isnan(value) ? bits >> 16 | 0x40U : (bits + half) >> 16);
  }
  operator float() const { return std::bit_cast<float>(static_cast<uint32_t>(bits_) << 16); }

 private:
  uint16_t bits_ = 0;
};

template <>
constexpr DType dtype_of<BFloat16>() {
  return DType::bf16;
}

// As for_float, and for bf16 too.
template <class F>
decltype(auto) for_float_or_bf16(DType dtype, F&& f) {
  if (dtype == DType::bf16) return f(BFloat16{});
  return for_float(dtype, f);
}

}  // namespace engine
