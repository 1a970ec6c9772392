#include "engine/cpu/conv/reference.h"

#include <algorithm>

#include "engine/cpu/gemm.h"
#include "engine/parallel.h"

namespace engine {
namespace {

// Sizes of one convolution. A group has `in` input and `out` output channels; its patch matrix has
// depth() rows and one column per output pixel.
struct Geometry {
  int64_t images, groups, in, out;
  int64_t height, width, out_height, out_width, kernel_height, kernel_width;
  Conv2dOptions options;

  Geometry(const Shape& x, const Shape& w, const Shape& y, const Conv2dOptions& o)
      : images(x[0]),
        groups(o.groups),
        in(w[1]),
        out(w[0] / o.groups),
        height(x[2]),
        width(x[3]),
        out_height(y[2]),
        out_width(y[3]),
        kernel_height(w[2]),
        kernel_width(w[3]),
        options(o) {}

  int64_t depth() const { return in * kernel_height * kernel_width; }
  int64_t pixels() const { return out_height * out_width; }
  int64_t in_plane() const { return height * width; }
  // Images whose patches are multiplied at once: as many as fit 2^22 elements, since wide products
  // are faster.
  int64_t batch() const {
    return std::clamp<int64_t>((int64_t{1} << 22) / std::max<int64_t>(depth() * pixels(), 1), 1,
                               std::max<int64_t>(images, 1));
  }
};

// Calls f(input offset, output pixel) for the part of the output that tap (u, v) reaches.
template <class F>
void for_reached(const Geometry& g, int64_t u, int64_t v, F&& f) {
  const auto& o = g.options;
  for (int64_t i = 0; i < g.out_height; ++i) {
    const int64_t row = i * o.stride - o.padding + u * o.dilation;
    if (row < 0 || row >= g.height) continue;
    for (int64_t j = 0; j < g.out_width; ++j) {
      const int64_t column = j * o.stride - o.padding + v * o.dilation;
      if (column >= 0 && column < g.width) f(row * g.width + column, i * g.out_width + j);
    }
  }
}

// Calls f(channel, u, v, matrix row) for every row of the patch matrix, in parallel over channels.
template <class F>
void for_taps(const Geometry& g, F&& f) {
  parallel_for(g.in, grain_of(g.kernel_height * g.kernel_width * g.batch() * g.pixels()),
               [&](int64_t begin, int64_t end) {
                 for (int64_t c = begin; c < end; ++c) {
                   for (int64_t u = 0; u < g.kernel_height; ++u) {
                     for (int64_t v = 0; v < g.kernel_width; ++v) {
                       f(c, u, v, (c * g.kernel_height + u) * g.kernel_width + v);
                     }
                   }
                 }
               });
}

// Copies the patches of images first .. first+count-1, one group, to patches [depth, count *
// pixels].
template <class T>
void unfold(const Geometry& g, const T* x, int64_t first, int64_t count, int64_t group,
            T* patches) {
  for_taps(g, [&](int64_t c, int64_t u, int64_t v, int64_t matrix_row) {
    for (int64_t n = 0; n < count; ++n) {
      const T* plane = x + (((first + n) * g.groups + group) * g.in + c) * g.in_plane();
      T* row = patches + (matrix_row * count + n) * g.pixels();
      std::fill(row, row + g.pixels(), T{0});
      for_reached(g, u, v, [&](int64_t from, int64_t to) { row[to] = plane[from]; });
    }
  });
}

// Adds the patches [depth, count * pixels] to the pixels of dx that they came from.
template <class T>
void fold(const Geometry& g, const T* patches, int64_t first, int64_t count, int64_t group, T* dx) {
  for_taps(g, [&](int64_t c, int64_t u, int64_t v, int64_t matrix_row) {
    for (int64_t n = 0; n < count; ++n) {
      T* plane = dx + (((first + n) * g.groups + group) * g.in + c) * g.in_plane();
      const T* row = patches + (matrix_row * count + n) * g.pixels();
      for_reached(g, u, v, [&](int64_t to, int64_t from) { plane[to] += row[from]; });
    }
  });
}

// Calls copy(row of y, offset of that row in the product, output channel of the group) for every
// row of pixels; y is [N, groups * out, pixels], the product [out, count * pixels].
template <class T, class Copy>
void for_output_rows(const Geometry& g, T* y, int64_t first, int64_t count, int64_t group,
                     Copy&& copy) {
  parallel_for(g.out, grain_of(g.batch() * g.pixels()), [&](int64_t begin, int64_t end) {
    for (int64_t o = begin; o < end; ++o) {
      for (int64_t n = 0; n < count; ++n) {
        copy(y + (((first + n) * g.groups + group) * g.out + o) * g.pixels(),
             (o * count + n) * g.pixels(), o);
      }
    }
  });
}

// Calls f(first image, number of images, group, patch matrix, output matrix) for every product.
template <class T, class F>
void for_products(const Geometry& g, DType dtype, F&& f) {
  Tensor patches({g.depth(), g.batch() * g.pixels()}, dtype);
  Tensor outputs({g.out, g.batch() * g.pixels()}, dtype);
  for (int64_t first = 0; first < g.images; first += g.batch()) {
    for (int64_t group = 0; group < g.groups; ++group) {
      f(first, std::min(g.batch(), g.images - first), group, patches.data<T>(), outputs.data<T>());
    }
  }
}

}  // namespace

template <class T>
void reference_conv_forward(const Tensor& x, const Tensor& w, const Tensor& bias,
                            const Conv2dOptions& options, Tensor& y) {
  const Geometry g(x.shape(), w.shape(), y.shape(), options);
  const T* offsets = bias.defined() ? bias.data<T>() : nullptr;
  for_products<T>(
      g, x.dtype(), [&](int64_t first, int64_t count, int64_t group, T* patches, T* out) {
        const int64_t columns = count * g.pixels();
        unfold(g, x.data<T>(), first, count, group, patches);
        gemm<T>({g.out, columns, g.depth(), columns},
                {w.data<T>() + group * g.out * g.depth(), g.depth(), 1}, {patches, columns, 1},
                out);
        for_output_rows(g, y.data<T>(), first, count, group, [&](T* row, int64_t from, int64_t o) {
          const T offset = offsets != nullptr ? offsets[group * g.out + o] : T{0};
          for (int64_t p = 0; p < g.pixels(); ++p) row[p] = out[from + p] + offset;
        });
      });
}

template <class T>
void reference_conv_backward_data(const Tensor& dy, const Tensor& w, const Conv2dOptions& options,
                                  Tensor& dx) {
  const Geometry g(dx.shape(), w.shape(), dy.shape(), options);
  std::fill_n(dx.data<T>(), dx.elements(), T{0});
  for_products<T>(
      g, dx.dtype(), [&](int64_t first, int64_t count, int64_t group, T* patches, T* out) {
        const int64_t columns = count * g.pixels();
        for_output_rows(
            g, dy.data<T>(), first, count, group,
            [&](const T* row, int64_t to, int64_t) { std::copy_n(row, g.pixels(), out + to); });
        gemm<T>({g.depth(), columns, g.out, columns},
                {w.data<T>() + group * g.out * g.depth(), 1, g.depth()}, {out, columns, 1},
                patches);
        fold(g, patches, first, count, group, dx.data<T>());
      });
}

template <class T>
void reference_conv_backward_weights(const Tensor& x, const Tensor& dy,
                                     const Conv2dOptions& options, Tensor& dw, Tensor& db) {
  const Geometry g(x.shape(), dw.shape(), dy.shape(), options);
  std::fill_n(dw.data<T>(), dw.elements(), T{0});
  if (db.defined()) std::fill_n(db.data<T>(), db.elements(), T{0});
  T* bias_gradient = db.defined() ? db.data<T>() : nullptr;
  for_products<T>(
      g, x.dtype(), [&](int64_t first, int64_t count, int64_t group, T* patches, T* out) {
        const int64_t columns = count * g.pixels();
        unfold(g, x.data<T>(), first, count, group, patches);
        for_output_rows(g, dy.data<T>(), first, count, group,
                        [&](const T* row, int64_t to, int64_t o) {
                          std::copy_n(row, g.pixels(), out + to);
                          if (bias_gradient == nullptr) return;
                          double sum = 0.0;
                          for (int64_t p = 0; p < g.pixels(); ++p) sum += row[p];
                          bias_gradient[group * g.out + o] += static_cast<T>(sum);
                        });
        gemm<T>({g.out, g.depth(), columns, g.depth(), /*accumulate=*/true}, {out, columns, 1},
                {patches, 1, columns}, dw.data<T>() + group * g.out * g.depth());
      });
}

template void reference_conv_forward<float>(const Tensor&, const Tensor&, const Tensor&,
                                            const Conv2dOptions&, Tensor&);
template void reference_conv_forward<double>(const Tensor&, const Tensor&, const Tensor&,
                                             const Conv2dOptions&, Tensor&);
template void reference_conv_backward_data<float>(const Tensor&, const Tensor&,
                                                  const Conv2dOptions&, Tensor&);
template void reference_conv_backward_data<double>(const Tensor&, const Tensor&,
                                                   const Conv2dOptions&, Tensor&);
template void reference_conv_backward_weights<float>(const Tensor&, const Tensor&,
                                                     const Conv2dOptions&, Tensor&, Tensor&);
template void reference_conv_backward_weights<double>(const Tensor&, const Tensor&,
                                                      const Conv2dOptions&, Tensor&, Tensor&);

}  // namespace engine
