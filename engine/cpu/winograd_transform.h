// The transforms of Winograd's convolution F(M x M, 3 x 3), M = 2, 3 or 4 (Lavin and Gray, "Fast
// algorithms for convolutional neural networks", 2016): an M x M tile of outputs y of a window d
// of (M+2) x (M+2) inputs and a 3 x 3 kernel g is
//   y = A' [(G g G') * (B' d B)] A        * by element, ' transposed
// Interpolation points are 0, 1, -1, infinity (M = 2), with 2 (M = 3), and with 2 and -2 (M = 4).
// The gradients of the formula need the transposes: A y A' and G' u G.
//
// Each function transforms one line of kLanes-vectors: in[i * in_step] to out[j * out_step].
#pragma once

#include "engine/cpu/lanes.h"

namespace engine {

template <int64_t M>
struct Winograd;

template <>
struct Winograd<2> {
  // B' d: 4 to 4.
  static void input(const float* in, int64_t s, float* out, int64_t t) {
    const Lanes a = lanes(in), b = lanes(in + s), c = lanes(in + 2 * s), d = lanes(in + 3 * s);
    lanes(out) = a - c;
    lanes(out + t) = b + c;
    lanes(out + 2 * t) = c - b;
    lanes(out + 3 * t) = b - d;
  }
  // A' m: 4 to 2.
  static void output(const float* in, int64_t s, float* out, int64_t t) {
    const Lanes a = lanes(in), b = lanes(in + s), c = lanes(in + 2 * s), d = lanes(in + 3 * s);
    lanes(out) = a + b + c;
    lanes(out + t) = b - c - d;
  }
  // A y: 2 to 4.
  static void output_gradient(const float* in, int64_t s, float* out, int64_t t) {
    const Lanes a = lanes(in), b = lanes(in + s);
    lanes(out) = a;
    lanes(out + t) = a + b;
    lanes(out + 2 * t) = a - b;
    lanes(out + 3 * t) = -b;
  }
  // G g: 3 to 4.
  static void weight(const float* in, int64_t s, float* out, int64_t t) {
    const Lanes a = lanes(in), b = lanes(in + s), c = lanes(in + 2 * s);
    const Lanes even = (a + c) * 0.5f, odd = b * 0.5f;
    lanes(out) = a;
    lanes(out + t) = even + odd;
    lanes(out + 2 * t) = even - odd;
    lanes(out + 3 * t) = c;
  }
  // G' u: 4 to 3.
  static void weight_gradient(const float* in, int64_t s, float* out, int64_t t) {
    const Lanes a = lanes(in), b = lanes(in + s), c = lanes(in + 2 * s), d = lanes(in + 3 * s);
    const Lanes half = (b + c) * 0.5f;
    lanes(out) = a + half;
    lanes(out + t) = (b - c) * 0.5f;
    lanes(out + 2 * t) = half + d;
  }
};

template <>
struct Winograd<3> {
  // B' d: 5 to 5.
  static void input(const float* in, int64_t s, float* out, int64_t t) {
    const Lanes d0 = lanes(in), d1 = lanes(in + s), d2 = lanes(in + 2 * s);
    const Lanes d3 = lanes(in + 3 * s), d4 = lanes(in + 4 * s);
    const Lanes odd = d3 - d1;
    lanes(out) = 2.0f * (d0 - d2) + odd;
    lanes(out + t) = d3 - d2 - 2.0f * d1;
    lanes(out + 2 * t) = d3 - 3.0f * d2 + 2.0f * d1;
    lanes(out + 3 * t) = odd;
    lanes(out + 4 * t) = d4 - d2 - 2.0f * odd;
  }
  // A' m: 5 to 3.
  static void output(const float* in, int64_t s, float* out, int64_t t) {
    const Lanes m0 = lanes(in), m1 = lanes(in + s), m2 = lanes(in + 2 * s);
    const Lanes m3 = lanes(in + 3 * s), m4 = lanes(in + 4 * s);
    const Lanes sum = m1 + m2;
    lanes(out) = m0 + sum + m3;
    lanes(out + t) = m1 - m2 + 2.0f * m3;
    lanes(out + 2 * t) = sum + 4.0f * m3 + m4;
  }
  // A y: 3 to 5.
  static void output_gradient(const float* in, int64_t s, float* out, int64_t t) {
    const Lanes y0 = lanes(in), y1 = lanes(in + s), y2 = lanes(in + 2 * s);
    const Lanes even = y0 + y2;
    lanes(out) = y0;
    lanes(out + t) = even + y1;
    lanes(out + 2 * t) = even - y1;
    lanes(out + 3 * t) = y0 + 2.0f * y1 + 4.0f * y2;
    lanes(out + 4 * t) = y2;
  }
  // G g: 3 to 5.
  static void weight(const float* in, int64_t s, float* out, int64_t t) {
    const Lanes w0 = lanes(in), w1 = lanes(in + s), w2 = lanes(in + 2 * s);
    const Lanes even = w0 + w2;
    lanes(out) = w0 * 0.5f;
    lanes(out + t) = (even + w1) * -0.5f;
    lanes(out + 2 * t) = (w1 - even) * (1.0f / 6);
    lanes(out + 3 * t) = w0 * (1.0f / 6) + w1 * (1.0f / 3) + w2 * (2.0f / 3);
    lanes(out + 4 * t) = w2;
  }
  // G' u: 5 to 3.
  static void weight_gradient(const float* in, int64_t s, float* out, int64_t t) {
    const Lanes u0 = lanes(in), u1 = lanes(in + s), u2 = lanes(in + 2 * s);
    const Lanes u3 = lanes(in + 3 * s), u4 = lanes(in + 4 * s);
    const Lanes half1 = u1 * 0.5f, sixth2 = u2 * (1.0f / 6), sixth3 = u3 * (1.0f / 6);
    lanes(out) = u0 * 0.5f - half1 - sixth2 + sixth3;
    lanes(out + t) = sixth2 - half1 + 2.0f * sixth3;
    lanes(out + 2 * t) = 4.0f * sixth3 - half1 - sixth2 + u4;
  }
};

template <>
struct Winograd<4> {
  // B' d: 6 to 6.
  static void input(const float* in, int64_t s, float* out, int64_t t) {
    const Lanes d0 = lanes(in), d1 = lanes(in + s), d2 = lanes(in + 2 * s);
    const Lanes d3 = lanes(in + 3 * s), d4 = lanes(in + 4 * s), d5 = lanes(in + 5 * s);
    const Lanes even1 = d4 - 4.0f * d2, odd1 = d3 - 4.0f * d1;  // of points 1 and -1
    const Lanes even2 = d4 - d2, odd2 = 2.0f * (d3 - d1);       // of points 2 and -2
    lanes(out) = 4.0f * d0 - 5.0f * d2 + d4;
    lanes(out + t) = even1 + odd1;
    lanes(out + 2 * t) = even1 - odd1;
    lanes(out + 3 * t) = even2 + odd2;
    lanes(out + 4 * t) = even2 - odd2;
    lanes(out + 5 * t) = 4.0f * d1 - 5.0f * d3 + d5;
  }
  // A' m: 6 to 4.
  static void output(const float* in, int64_t s, float* out, int64_t t) {
    const Lanes m0 = lanes(in), m1 = lanes(in + s), m2 = lanes(in + 2 * s);
    const Lanes m3 = lanes(in + 3 * s), m4 = lanes(in + 4 * s), m5 = lanes(in + 5 * s);
    const Lanes sum1 = m1 + m2, difference1 = m1 - m2, sum2 = m3 + m4, difference2 = m3 - m4;
    lanes(out) = m0 + sum1 + sum2;
    lanes(out + t) = difference1 + 2.0f * difference2;
    lanes(out + 2 * t) = sum1 + 4.0f * sum2;
    lanes(out + 3 * t) = difference1 + 8.0f * difference2 + m5;
  }
  // A y: 4 to 6.
  static void output_gradient(const float* in, int64_t s, float* out, int64_t t) {
    const Lanes y0 = lanes(in), y1 = lanes(in + s), y2 = lanes(in + 2 * s), y3 = lanes(in + 3 * s);
    const Lanes even1 = y0 + y2, odd1 = y1 + y3;
    const Lanes even2 = y0 + 4.0f * y2, odd2 = 2.0f * y1 + 8.0f * y3;
    lanes(out) = y0;
    lanes(out + t) = even1 + odd1;
    lanes(out + 2 * t) = even1 - odd1;
    lanes(out + 3 * t) = even2 + odd2;
    lanes(out + 4 * t) = even2 - odd2;
    lanes(out + 5 * t) = y3;
  }
  // G g: 3 to 6.
  static void weight(const float* in, int64_t s, float* out, int64_t t) {
    const Lanes w0 = lanes(in), w1 = lanes(in + s), w2 = lanes(in + 2 * s);
    const Lanes even1 = (w0 + w2) * (-1.0f / 6), odd1 = w1 * (1.0f / 6);
    const Lanes even2 = w0 * (1.0f / 24) + w2 * (1.0f / 6), odd2 = w1 * (1.0f / 12);
    lanes(out) = w0 * 0.25f;
    lanes(out + t) = even1 - odd1;
    lanes(out + 2 * t) = even1 + odd1;
    lanes(out + 3 * t) = even2 + odd2;
    lanes(out + 4 * t) = even2 - odd2;
    lanes(out + 5 * t) = w2;
  }
  // G' u: 6 to 3.
  static void weight_gradient(const float* in, int64_t s, float* out, int64_t t) {
    const Lanes u0 = lanes(in), u1 = lanes(in + s), u2 = lanes(in + 2 * s);
    const Lanes u3 = lanes(in + 3 * s), u4 = lanes(in + 4 * s), u5 = lanes(in + 5 * s);
    const Lanes sum1 = (u1 + u2) * (1.0f / 6), sum2 = u3 + u4;
    lanes(out) = u0 * 0.25f - sum1 + sum2 * (1.0f / 24);
    lanes(out + t) = (u2 - u1) * (1.0f / 6) + (u3 - u4) * (1.0f / 12);
    lanes(out + 2 * t) = sum2 * (1.0f / 6) - sum1 + u5;
  }
};

// A square of vectors in memory: element (i, j) lies at data + i * row + j * column.
template <class T>
struct Square {
  T* data;
  int64_t row, column;
};

// Both dimensions, In x In to Out x Out, by one of the above: every column, which
// column(j, to, step) transforms to to[i * step], then every row.
template <auto kLine, int64_t In, int64_t Out, class Column>
inline void transform_columns(Column&& column, const Square<float>& out) {
  alignas(64) float columns[Out * In * kLanes];
  for (int64_t j = 0; j < In; ++j) column(j, columns + j * kLanes, In * kLanes);
  for (int64_t i = 0; i < Out; ++i) {
    kLine(columns + i * In * kLanes, kLanes, out.data + i * out.row, out.column);
  }
}

template <auto kLine, int64_t In, int64_t Out>
inline void transform(const Square<const float>& in, const Square<float>& out) {
  transform_columns<kLine, In, Out>(
      [&](int64_t j, float* to, int64_t step) { kLine(in.data + j * in.column, in.row, to, step); },
      out);
}

}  // namespace engine
