#include <algorithm>
#include <cmath>
#include <vector>

#include "engine/parallel.h"
#include "engine/profile.h"
#include "pixpro/method/kernels.h"
#include "pixpro/method/positives.h"

namespace pixpro {
namespace {

using engine::for_float;
using engine::parallel_for;

// Calls f(image, its mask of positive pairs) for every image.
template <class F>
void for_images(const PixelPairs& pairs, F&& f) {
  const double *q = pairs.boxes_q.data<double>(), *k = pairs.boxes_k.data<double>();
  const int64_t plane = pairs.grid.pixels() * pairs.grid.pixels();
  parallel_for(pairs.boxes_q.shape()[0], engine::grain_of(plane), [&](int64_t begin, int64_t end) {
    std::vector<uint8_t> mask(static_cast<size_t>(plane));
    for (int64_t m = begin; m < end; ++m) {
      fill_positive_mask(q + 4 * m, k + 4 * m, pairs.grid, pairs.pos_ratio, mask.data());
      f(m, mask.data());
    }
  });
}

// Fills the pair columns of one image's row.
template <class T>
void sum_pairs(const T* similarity, const uint8_t* mask, int64_t plane, double* row) {
  std::fill(row, row + kColumns, 0.0);
  for (int64_t i = 0; i < plane; ++i) {
    const bool positive = mask[i] != 0;
    row[kPositives] += positive ? 1.0 : 0.0;
    row[positive ? kPositiveSum : kOtherSum] += similarity[i];
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

// Fills the rows of all images, and the loss. term(similarities, mask, row) is the term of one
// image, whose row holds the pair columns already.
template <class Term>
void loss_forward(const Tensor& similarity, const PixelPairs& pairs, Tensor& images, Tensor& loss,
                  Term term) {
  const int64_t plane = pairs.grid.pixels() * pairs.grid.pixels();
  double* rows = images.data<double>();
  for_float(similarity.dtype(), [&](auto zero) {
    const auto* values = similarity.data<decltype(zero)>();
    for_images(pairs, [&](int64_t m, const uint8_t* mask) {
      double* row = rows + m * kColumns;
      sum_pairs(values + m * plane, mask, plane, row);
      row[kTerm] = term(values + m * plane, mask, row);
    });
  });
  mean_term(images, loss);
}

// Does the query pixel of this row of the mask have a positive?
bool has_positive(const uint8_t* mask, int64_t pixels) {
  return std::find(mask, mask + pixels, 1) != mask + pixels;
}

// The number of terms in the mean over an image's query pixels: those that have a positive, or 1 if
// there are none.
double terms_of(const uint8_t* mask, int64_t pixels) {
  int64_t terms = 0;
  for (int64_t i = 0; i < pixels; ++i) terms += has_positive(mask + i * pixels, pixels) ? 1 : 0;
  return static_cast<double>(std::max<int64_t>(terms, 1));
}

// Sums of exp(similarity_ij / tau) over one query pixel's row, relative to the largest of them;
// `positive` is 0 if the row has no positive.
struct RowSums {
  double largest, all = 0.0, positive = 0.0;

  template <class T>
  RowSums(const T* row, const uint8_t* mask, int64_t pixels, double tau)
      : largest(static_cast<double>(*std::max_element(row, row + pixels)) / tau) {
    for (int64_t j = 0; j < pixels; ++j) {
      const double e = std::exp(row[j] / tau - largest);
      all += e;
      if (mask[j] != 0) positive += e;
    }
  }
};

template <class T>
double contrast_term(const T* similarity, const uint8_t* mask, int64_t pixels, double tau) {
  double sum = 0.0;
  for (int64_t i = 0; i < pixels; ++i) {
    if (!has_positive(mask + i * pixels, pixels)) continue;
    const RowSums sums(similarity + i * pixels, mask + i * pixels, pixels, tau);
    sum += std::log(sums.all) - std::log(sums.positive);
  }
  return sum / terms_of(mask, pixels);
}

template <class T>
void contrast_gradient(const T* similarity, const uint8_t* mask, int64_t pixels, double tau,
                       double dterm, T* dsimilarity) {
  const double factor = dterm / tau / terms_of(mask, pixels);
  for (int64_t i = 0; i < pixels; ++i, similarity += pixels, mask += pixels) {
    const RowSums sums(similarity, mask, pixels, tau);
    for (int64_t j = 0; j < pixels; ++j) {
      const double e = std::exp(similarity[j] / tau - sums.largest);
      const double share = e / sums.all - (mask[j] != 0 ? e / sums.positive : 0.0);
      *dsimilarity++ = static_cast<T>(sums.positive > 0.0 ? factor * share : 0.0);
    }
  }
}

}  // namespace

void pixpro_loss_forward(CpuContext& ctx, const Tensor& similarity, const PixelPairs& pairs,
                         Tensor& images, Tensor& loss) {
  const engine::Timer timer(ctx, "pixpro_loss", engine::bytes_of(similarity));
  check_pairs("pixpro_loss", similarity, pairs);
  loss_forward(similarity, pairs, images, loss, [](const auto*, const uint8_t*, const double* row) {
    return row[kPositiveSum] / (row[kPositives] + 1e-6);
  });
}

void pixpro_loss_backward(CpuContext& ctx, const Tensor& dloss, const Tensor& images,
                          const PixelPairs& pairs, Tensor& dsimilarity) {
  const engine::Timer timer(ctx, "pixpro_loss backward", engine::bytes_of(dsimilarity));
  check_pairs("pixpro_loss backward", dsimilarity, pairs);
  const int64_t plane = pairs.grid.pixels() * pairs.grid.pixels();
  const double dterm = scalar(dloss) / static_cast<double>(images.shape()[0]);
  const double* rows = images.data<double>();
  for_float(dsimilarity.dtype(), [&](auto zero) {
    using T = decltype(zero);
    T* out = dsimilarity.data<T>();
    for_images(pairs, [&](int64_t m, const uint8_t* mask) {
      const T value = static_cast<T>(dterm / (rows[m * kColumns + kPositives] + 1e-6));
      for (int64_t i = 0; i < plane; ++i) out[m * plane + i] = mask[i] != 0 ? value : T{0};
    });
  });
}

void pixcontrast_loss_forward(CpuContext& ctx, const Tensor& similarity, const PixelPairs& pairs,
                              double tau, Tensor& images, Tensor& loss) {
  const engine::Timer timer(ctx, "pixcontrast_loss", engine::bytes_of(similarity));
  check_pairs("pixcontrast_loss", similarity, pairs);
  loss_forward(similarity, pairs, images, loss,
               [&](const auto* values, const uint8_t* mask, const double*) {
                 return contrast_term(values, mask, pairs.grid.pixels(), tau);
               });
}

void pixcontrast_loss_backward(CpuContext& ctx, const Tensor& dloss, const Tensor& similarity,
                               const PixelPairs& pairs, double tau, Tensor& dsimilarity) {
  const engine::Timer timer(ctx, "pixcontrast_loss backward",
                            engine::bytes_of(similarity, dsimilarity));
  check_pairs("pixcontrast_loss backward", similarity, pairs);
  const int64_t pixels = pairs.grid.pixels(), plane = pixels * pixels;
  const double dterm = scalar(dloss) / static_cast<double>(similarity.shape()[0]);
  for_float(similarity.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T* values = similarity.data<T>();
    T* out = dsimilarity.data<T>();
    for_images(pairs, [&](int64_t m, const uint8_t* mask) {
      contrast_gradient(values + m * plane, mask, pixels, tau, dterm, out + m * plane);
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
  engine::require_same("mean_dot backward", b, da);
  const double factor = scalar(dloss) / static_cast<double>(b.shape()[0]);
  for_float(b.dtype(), [&](auto zero) {
    using T = decltype(zero);
    for (int64_t i = 0; i < b.elements(); ++i) {
      da.data<T>()[i] = static_cast<T>(factor * b.data<T>()[i]);
    }
  });
}

}  // namespace pixpro
