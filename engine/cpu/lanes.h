// The vector of the project's own convolutions: kLanes floats, as many as a channel block of the
// activation layout holds. Written with GCC's vector extension, so that one text serves AVX-512,
// AVX2 and NEON (where a vector of 8 is two registers).
#pragma once

#include <cstdint>
#include <type_traits>
#include <utility>

#include "engine/device.h"

namespace engine {

#ifdef __AVX512F__
inline constexpr int64_t kLanes = 16;
inline constexpr Layout kLaneLayout = Layout::blocked16;
#else
inline constexpr int64_t kLanes = 8;
inline constexpr Layout kLaneLayout = Layout::blocked8;
#endif

using Lanes [[gnu::vector_size(4 * kLanes), gnu::may_alias]] = float;

// The kLanes floats at p, which is a multiple of their size.
inline Lanes& lanes(float* p) { return *reinterpret_cast<Lanes*>(p); }
inline const Lanes& lanes(const float* p) { return *reinterpret_cast<const Lanes*>(p); }

// Asks for the cache line at p to come into the second-level cache: the first one has few slots for
// lines on their way. Harmless for addresses outside of memory. Always inlined, because GCC drops a
// call that has neither a result nor an effect.
[[gnu::always_inline]] inline void prefetch(const float* p) { __builtin_prefetch(p, 0, 2); }

inline constexpr int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Begin of part `part` of `parts` nearly equal parts of 0 .. count-1.
inline constexpr int64_t part_begin(int64_t count, int64_t part, int64_t parts) {
  return count * part / parts;
}

// Calls f(begin, count) for these parts, one after the other.
template <class F>
inline void for_parts(int64_t count, int64_t parts, F&& f) {
  for (int64_t part = 0; part < parts; ++part) {
    const int64_t begin = part_begin(count, part, parts);
    f(begin, part_begin(count, part + 1, parts) - begin);
  }
}

// unrolled(kEach<N>, f) calls f(integral_constant i) for i in 0 .. N-1. An array indexed by such i
// is kept in registers from its first value to its last; one indexed in a loop may begin in memory.
template <class F, int64_t... I>
inline void unrolled(std::integer_sequence<int64_t, I...>, F&& f) {
  (f(std::integral_constant<int64_t, I>{}), ...);
}
template <int64_t N>
inline constexpr std::make_integer_sequence<int64_t, N> kEach{};

}  // namespace engine
