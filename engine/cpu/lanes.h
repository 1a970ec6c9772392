// Vectors of lanes, written with GCC's vector extension so that one source serves AVX-512, AVX2 and
// NEON (where a vector of 8 floats is two registers).
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#include "engine/arithmetic.h"
#include "engine/device.h"

namespace engine {

// N values of T as one value, which stays in registers. An array of as many values does not: the
// compiler stores and loads it again at every step of a loop.
template <class T, int64_t N>
struct LaneVectorType {
  using type [[gnu::vector_size(sizeof(T) * N), gnu::may_alias]] = T;
};
template <class T, int64_t N>
using LaneVector = typename LaneVectorType<T, N>::type;

template <int64_t N, class T>
LaneVector<T, N> load_lanes(const T* from) {
  LaneVector<T, N> vector;
  std::memcpy(&vector, from, sizeof vector);
  return vector;
}
template <class Vector, class T>
void store_lanes(const Vector& vector, T* to) {
  std::memcpy(to, &vector, sizeof vector);
}

// The vector of f(0) .. f(N-1), which return T.
template <class T, int64_t N, class F>
LaneVector<T, N> lanes_of(F&& f) {
  T values[N];
#pragma omp simd
  for (int lane = 0; lane < static_cast<int>(N); ++lane) values[lane] = f(lane);
  return load_lanes<N>(values);
}

// Channels in a block of the activation layout: as many as there are floats in an AVX-512 or AVX2
// vector.
#ifdef __AVX512F__
inline constexpr int64_t kLanes = 16;
inline constexpr Layout kLaneLayout = Layout::blocked16;
#else
inline constexpr int64_t kLanes = 8;
inline constexpr Layout kLaneLayout = Layout::blocked8;
#endif

// The vector of the project's convolutions.
using Lanes = LaneVector<float, kLanes>;

// The kLanes floats at p, which must be aligned to a vector.
inline Lanes& lanes(float* p) { return *reinterpret_cast<Lanes*>(p); }
inline const Lanes& lanes(const float* p) { return *reinterpret_cast<const Lanes*>(p); }

// Prefetches the cache line at p into the L2 cache; the L1 cache can wait for only a few lines at a
// time. p may be any address. Always inlined, because GCC drops a call that has neither a result
// nor an effect.
[[gnu::always_inline]] inline void prefetch(const float* p) { __builtin_prefetch(p, 0, 2); }

// unrolled(kEach<N>, f) calls f(integral_constant i) for i in 0 .. N-1. An array with such an index
// is kept in registers all its life; one indexed in a loop may begin in memory.
template <class F, int64_t... I>
inline void unrolled(std::integer_sequence<int64_t, I...>, F&& f) {
  (f(std::integral_constant<int64_t, I>{}), ...);
}
template <int64_t N>
inline constexpr std::make_integer_sequence<int64_t, N> kEach{};

}  // namespace engine
