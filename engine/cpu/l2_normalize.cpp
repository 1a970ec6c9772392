#include <cmath>

#include "engine/arithmetic.h"
#include "engine/kernels/norm.h"
#include "engine/parallel.h"
#include "engine/profile.h"

namespace engine {
namespace {

constexpr double kLeastNorm = 1e-12;
constexpr int64_t kPixels = 64;  // per piece of work: their sums stay in registers and L1

// Calls f(image, first pixel, number of pixels) in parallel for pieces of every image.
template <class F>
void for_pieces(const Planes& planes, F&& f) {
  const int64_t pieces = ceil_div(planes.pixels, kPixels);
  parallel_for(planes.n * pieces, grain_of(kPixels * planes.channels()),
               [&](int64_t begin, int64_t end) {
                 for (int64_t i = begin; i < end; ++i) {
                   const int64_t first = i % pieces * kPixels;
                   f(i / pieces, first, std::min(kPixels, planes.pixels - first));
                 }
               });
}

// Calls f(element, pixel of the piece) for all channels of a piece, in memory order.
template <class F>
void for_channels(const Planes& planes, int64_t image, int64_t first, int64_t count, F&& f) {
  for (int64_t block = 0; block < planes.blocks; ++block) {
    const int64_t base = ((image * planes.blocks + block) * planes.pixels + first) * planes.lanes;
    for (int64_t p = 0; p < count; ++p) {
      for (int64_t lane = 0; lane < planes.lanes; ++lane) f(base + p * planes.lanes + lane, p);
    }
  }
}

template <class T>
void forward(const Tensor& x, Tensor& y, Tensor& norms) {
  const Planes planes = planes_of(x);
  const T* in = x.data<T>();
  T *out = y.data<T>(), *lengths = norms.data<T>();
  for_pieces(planes, [&](int64_t image, int64_t first, int64_t count) {
    double squares[kPixels] = {};
    for_channels(planes, image, first, count, [&](int64_t i, int64_t p) {
      squares[p] += static_cast<double>(in[i]) * static_cast<double>(in[i]);
    });
    T inverse[kPixels];
    for (int64_t p = 0; p < count; ++p) {
      const double norm = std::sqrt(squares[p]);
      const bool clamped = norm < kLeastNorm;
      lengths[image * planes.pixels + first + p] = static_cast<T>(clamped ? -kLeastNorm : norm);
      inverse[p] = static_cast<T>(1.0 / (clamped ? kLeastNorm : norm));
    }
    for_channels(planes, image, first, count,
                 [&](int64_t i, int64_t p) { out[i] = in[i] * inverse[p]; });
  });
}

template <class T>
void backward(const Tensor& dy, const Tensor& y, const Tensor& norms, Tensor& dx) {
  const Planes planes = planes_of(dy);
  const T *grad = dy.data<T>(), *unit = y.data<T>(), *lengths = norms.data<T>();
  T* out = dx.data<T>();
  for_pieces(planes, [&](int64_t image, int64_t first, int64_t count) {
    double dots[kPixels] = {};
    for_channels(planes, image, first, count, [&](int64_t i, int64_t p) {
      dots[p] += static_cast<double>(grad[i]) * static_cast<double>(unit[i]);
    });
    T inverse[kPixels], along[kPixels];
    for (int64_t p = 0; p < count; ++p) {
      const T length = lengths[image * planes.pixels + first + p];
      inverse[p] = T{1} / std::abs(length);
      along[p] = length < 0 ? T{0} : static_cast<T>(dots[p]);
    }
    for_channels(planes, image, first, count, [&](int64_t i, int64_t p) {
      out[i] = (grad[i] - unit[i] * along[p]) * inverse[p];
    });
  });
}

}  // namespace

void l2_normalize_forward(CpuContext& ctx, const Tensor& x, Tensor& y, Tensor& norms) {
  const Timer timer(ctx, "l2_normalize", bytes_of(x, y));
  check_l2_normalize(x, y, norms);
  for_float(x.dtype(), [&](auto zero) { forward<decltype(zero)>(x, y, norms); });
}

void l2_normalize_backward(CpuContext& ctx, const Tensor& dy, const Tensor& y, const Tensor& norms,
                           Tensor& dx) {
  const Timer timer(ctx, "l2_normalize backward", bytes_of(dy, y, dx));
  check_l2_normalize_backward(dy, y, norms, dx);
  for_float(dy.dtype(), [&](auto zero) { backward<decltype(zero)>(dy, y, norms, dx); });
}

}  // namespace engine
