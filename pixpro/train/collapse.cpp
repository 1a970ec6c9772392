#include "pixpro/train/collapse.h"

#include <cmath>

#include "pixpro/method/kernels.h"

namespace pixpro {

CollapseMeasures measure_collapse(std::span<const double> pair_means,
                                  std::span<const double> feature_variances, int64_t pixels) {
  const auto p = static_cast<double>(pixels);
  const double positives = pair_means[kPositives], others = p * p - positives;
  double deviations = 0.0;
  for (const double variance : feature_variances) deviations += std::sqrt(variance);
  return {.feature_std = deviations / static_cast<double>(feature_variances.size()),
          .positives_per_image = positives,
          .positive_similarity = positives > 0.0 ? pair_means[kPositiveSum] / positives : 0.0,
          .other_similarity = others > 0.0 ? pair_means[kOtherSum] / others : 0.0};
}

}  // namespace pixpro
