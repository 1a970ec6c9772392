#include <algorithm>
#include <cmath>

#include "engine/parallel.h"
#include "engine/profile.h"
#include "pixpro/method/kernels.h"

namespace pixpro {
namespace {

using engine::for_float;
using engine::parallel_for;

// Calls f(image, bins of its query view, bins of its key view) for every image.
template <class F>
void for_images(const PixelPairs& pairs, F&& f) {
  const double *q = pairs.boxes_q.data<double>(), *k = pairs.boxes_k.data<double>();
  const int64_t pixels = pairs.grid.pixels();
  parallel_for(pairs.boxes_q.shape()[0], engine::grain_of(pixels * pixels),
               [&](int64_t begin, int64_t end) {
                 for (int64_t m = begin; m < end; ++m) {
                   f(m, Bins(q + 4 * m, pairs.grid), Bins(k + 4 * m, pairs.grid));
                 }
               });
}

void check_pairs(const char* op, const Tensor& similarity, const PixelPairs& pairs) {
  const int64_t images = pairs.boxes_q.shape()[0], pixels = pairs.grid.pixels();
  engine::require(similarity.shape() == engine::Shape{images, pixels, pixels} &&
                      pairs.boxes_q.shape() == engine::Shape{images, 4} &&
                      pairs.boxes_k.shape() == engine::Shape{images, 4},
                  op, ": similarities [M,P,P] and boxes [M,4] expected, found ", similarity.shape(),
                  ", ", pairs.boxes_q.shape(), ", ", pairs.boxes_k.shape(), " on a grid of ",
                  pairs.grid.height, " x ", pairs.grid.width);
}

// Fills the pair columns of one image's row.
template <class T>
void sum_pairs(const T* similarity, const Bins& q, const Bins& k, const PixelPairs& pairs,
               double* row) {
  const int64_t pixels = pairs.grid.pixels();
  std::fill(row, row + kColumns, 0.0);
  for (int64_t i = 0; i < pixels; ++i) {
    for (int64_t j = 0; j < pixels; ++j) {
      const double value = similarity[i * pixels + j];
      const bool positive = is_positive(q, i, k, j, pairs.pos_ratio);
      row[kPositives] += positive ? 1.0 : 0.0;
      row[positive ? kPositiveSum : kOtherSum] += value;
    }
  }
}

void mean_term(const Tensor& images, Tensor& loss) {
  const int64_t count = images.shape()[0];
  double sum = 0.0;
  for (int64_t m = 0; m < count; ++m) sum += images.data<double>()[m * kColumns + kTerm];
  for_float(loss.dtype(), [&](auto zero) {
    *loss.data<decltype(zero)>() = static_cast<decltype(zero)>(sum / static_cast<double>(count));
  });
}

double scalar(const Tensor& t) {
  return for_float(t.dtype(), [&](auto zero) -> double { return *t.data<decltype(zero)>(); });
}

// Sums of exp(similarity_ij / tau) over one query pixel's row, relative to the largest of them.
struct RowSums {
  double largest, all = 0.0, positive = 0.0;

  template <class T, class IsPositive>
  RowSums(const T* row, int64_t pixels, double tau, IsPositive positive_at)
      : largest(static_cast<double>(*std::max_element(row, row + pixels)) / tau) {
    for (int64_t j = 0; j < pixels; ++j) {
      const double e = std::exp(row[j] / tau - largest);
      all += e;
      if (positive_at(j)) positive += e;
    }
  }
};

// Term of one image; rows_used: how many query pixels have a positive.
template <class T>
double contrast_term(const T* similarity, const Bins& q, const Bins& k, const PixelPairs& pairs,
                     double tau, int64_t& rows_used) {
  const int64_t pixels = pairs.grid.pixels();
  double sum = 0.0;
  rows_used = 0;
  for (int64_t i = 0; i < pixels; ++i) {
    const auto positive_at = [&](int64_t j) { return is_positive(q, i, k, j, pairs.pos_ratio); };
    bool any = false;
    for (int64_t j = 0; j < pixels && !any; ++j) any = positive_at(j);
    if (!any) continue;
    const RowSums sums(similarity + i * pixels, pixels, tau, positive_at);
    sum += std::log(sums.all) - std::log(sums.positive);
    ++rows_used;
  }
  return sum / static_cast<double>(std::max<int64_t>(rows_used, 1));
}

template <class T>
void contrast_gradient(const T* similarity, const Bins& q, const Bins& k, const PixelPairs& pairs,
                       double tau, double dterm, T* dsimilarity) {
  const int64_t pixels = pairs.grid.pixels();
  int64_t rows_used = 0;
  contrast_term(similarity, q, k, pairs, tau, rows_used);
  const double factor = dterm / tau / static_cast<double>(std::max<int64_t>(rows_used, 1));
  for (int64_t i = 0; i < pixels; ++i) {
    const T* row = similarity + i * pixels;
    const auto positive_at = [&](int64_t j) { return is_positive(q, i, k, j, pairs.pos_ratio); };
    const RowSums sums(row, pixels, tau, positive_at);
    for (int64_t j = 0; j < pixels; ++j) {
      const double e = std::exp(row[j] / tau - sums.largest);
      const double share = e / sums.all - (positive_at(j) ? e / sums.positive : 0.0);
      dsimilarity[i * pixels + j] = static_cast<T>(sums.positive > 0.0 ? factor * share : 0.0);
    }
  }
}

}  // namespace

void pixpro_loss_forward(CpuContext& ctx, const Tensor& similarity, const PixelPairs& pairs,
                         Tensor& images, Tensor& loss) {
  const engine::Timer timer(ctx, "pixpro_loss", engine::bytes_of(similarity));
  check_pairs("pixpro_loss", similarity, pairs);
  const int64_t plane = pairs.grid.pixels() * pairs.grid.pixels();
  double* rows = images.data<double>();
  for_float(similarity.dtype(), [&](auto zero) {
    const auto* values = similarity.data<decltype(zero)>();
    for_images(pairs, [&](int64_t m, const Bins& q, const Bins& k) {
      double* row = rows + m * kColumns;
      sum_pairs(values + m * plane, q, k, pairs, row);
      row[kTerm] = row[kPositiveSum] / (row[kPositives] + 1e-6);
    });
  });
  mean_term(images, loss);
}

void pixpro_loss_backward(CpuContext& ctx, const Tensor& dloss, const Tensor& images,
                          const PixelPairs& pairs, Tensor& dsimilarity) {
  const engine::Timer timer(ctx, "pixpro_loss backward", engine::bytes_of(dsimilarity));
  const int64_t pixels = pairs.grid.pixels();
  const double dterm = scalar(dloss) / static_cast<double>(images.shape()[0]);
  const double* rows = images.data<double>();
  for_float(dsimilarity.dtype(), [&](auto zero) {
    using T = decltype(zero);
    T* out = dsimilarity.data<T>();
    for_images(pairs, [&](int64_t m, const Bins& q, const Bins& k) {
      const T value = static_cast<T>(dterm / (rows[m * kColumns + kPositives] + 1e-6));
      for (int64_t i = 0; i < pixels; ++i) {
        for (int64_t j = 0; j < pixels; ++j) {
          out[(m * pixels + i) * pixels + j] =
              is_positive(q, i, k, j, pairs.pos_ratio) ? value : T{0};
        }
      }
    });
  });
}

void pixcontrast_loss_forward(CpuContext& ctx, const Tensor& similarity, const PixelPairs& pairs,
                              double tau, Tensor& images, Tensor& loss) {
  const engine::Timer timer(ctx, "pixcontrast_loss", engine::bytes_of(similarity));
  check_pairs("pixcontrast_loss", similarity, pairs);
  const int64_t plane = pairs.grid.pixels() * pairs.grid.pixels();
  double* rows = images.data<double>();
  for_float(similarity.dtype(), [&](auto zero) {
    const auto* values = similarity.data<decltype(zero)>();
    for_images(pairs, [&](int64_t m, const Bins& q, const Bins& k) {
      double* row = rows + m * kColumns;
      int64_t rows_used = 0;
      sum_pairs(values + m * plane, q, k, pairs, row);
      row[kTerm] = contrast_term(values + m * plane, q, k, pairs, tau, rows_used);
    });
  });
  mean_term(images, loss);
}

void pixcontrast_loss_backward(CpuContext& ctx, const Tensor& dloss, const Tensor& similarity,
                               const PixelPairs& pairs, double tau, Tensor& dsimilarity) {
  const engine::Timer timer(ctx, "pixcontrast_loss backward",
                            engine::bytes_of(similarity, dsimilarity));
  const int64_t plane = pairs.grid.pixels() * pairs.grid.pixels();
  const double dterm = scalar(dloss) / static_cast<double>(similarity.shape()[0]);
  for_float(similarity.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T* values = similarity.data<T>();
    T* out = dsimilarity.data<T>();
    for_images(pairs, [&](int64_t m, const Bins& q, const Bins& k) {
      contrast_gradient(values + m * plane, q, k, pairs, tau, dterm, out + m * plane);
    });
  });
}

void mean_dot_forward(CpuContext& ctx, const Tensor& a, const Tensor& b, Tensor& loss) {
  const engine::Timer timer(ctx, "mean_dot", engine::bytes_of(a, b));
  engine::require_same("mean_dot", a, b);
  for_float(a.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T *left = a.data<T>(), *right = b.data<T>();
    double sum = 0.0;
    for (int64_t i = 0; i < a.elements(); ++i) sum += static_cast<double>(left[i]) * right[i];
    *loss.data<T>() = static_cast<T>(sum / static_cast<double>(a.shape()[0]));
  });
}

void mean_dot_backward(CpuContext& ctx, const Tensor& dloss, const Tensor& b, Tensor& da) {
  const engine::Timer timer(ctx, "mean_dot backward", engine::bytes_of(b, da));
  const double factor = scalar(dloss) / static_cast<double>(b.shape()[0]);
  for_float(b.dtype(), [&](auto zero) {
    using T = decltype(zero);
    for (int64_t i = 0; i < b.elements(); ++i) {
      da.data<T>()[i] = static_cast<T>(factor * b.data<T>()[i]);
    }
  });
}

}  // namespace pixpro
