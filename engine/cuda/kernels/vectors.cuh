// Adjacent values moved by one instruction of up to 16 bytes. A kernel that is bound by memory
// needs several times as many bytes in flight as one value per thread gives.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <type_traits>

#include "engine/cuda/kernel.cuh"

namespace engine {

template <class T, int kWidth>
struct alignas(kWidth * sizeof(T) < 16 ? kWidth * sizeof(T) : 16) Pack {
  T values[kWidth];
};

// The pack that begins at `address`, which must be aligned for it.
template <int kWidth, class T>
__device__ Pack<T, kWidth>& pack_at(T* address) {
  return *reinterpret_cast<Pack<T, kWidth>*>(address);
}
template <int kWidth, class T>
__device__ const Pack<T, kWidth>& pack_at(const T* address) {
  return *reinterpret_cast<const Pack<T, kWidth>*>(address);
}

// Calls f with the number of values of T that a thread moves at once, as a compile-time constant:
// kWide if it divides `run` (the number of adjacent values) and all addresses are multiples of 16
// (as a null pointer is), otherwise 1.
template <class T, int kWide = 16 / sizeof(T), class F>
void for_width(int64_t run, std::initializer_list<const void*> addresses, F&& f) {
  bool fits = run % kWide == 0;
  for (const void* address : addresses) {
    fits = fits && reinterpret_cast<uintptr_t>(address) % 16 == 0;
  }
  if (fits) {
    f(std::integral_constant<int, kWide>{});
  } else {
    f(std::integral_constant<int, 1>{});
  }
}

}  // namespace engine
