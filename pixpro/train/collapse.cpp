#include "pixpro/train/collapse.h"

#include <algorithm>
#include <cmath>

#include "engine/kernels/norm.h"
#include "engine/tensor_ops.h"
#include "pixpro/method/kernels.h"

namespace pixpro {
namespace {

using engine::Tensor;

double mean_deviation(const Tensor& statistics) {
  const std::vector<double> values = engine::to_values(statistics);
  const size_t channels = values.size() / 2;
  double sum = 0.0;
  for (size_t c = channels; c < values.size(); ++c) sum += std::sqrt(values[c]);
  return sum / static_cast<double>(channels);
}

}  // namespace

void add_share(CollapseMeasures& sum, const CollapseMeasures& part, double share) {
  for (const auto& [name, value] : kCollapseMeasures) sum.*value += share * part.*value;
}

Tensor feature_statistics(const Tensor& features) {
  Tensor statistics({1, 2, features.shape()[1]}, engine::DType::f64, features.device());
  engine::on_device(features.device(),
                    [&](auto& ctx) { batch_norm_statistics(ctx, features, statistics); });
  return statistics;
}

CollapseMeasures measure_collapse(const Tensor& pairs, const Tensor& statistics, int64_t pixels) {
  const std::vector<double> rows = engine::to_values(pairs);
  double positives = 0.0, positive_sum = 0.0, other_sum = 0.0;
  for (size_t row = 0; row < rows.size(); row += kColumns) {
    positives += rows[row + kPositives];
    positive_sum += rows[row + kPositiveSum];
    other_sum += rows[row + kOtherSum];
  }
  const auto images = static_cast<double>(pairs.shape()[0]), p = static_cast<double>(pixels);
  const double others = images * p * p - positives;
  return {.feature_std = mean_deviation(statistics),
          .positives_per_image = positives / images,
          .positive_similarity = positive_sum / std::max(positives, 1.0),
          .other_similarity = other_sum / std::max(others, 1.0)};
}

}  // namespace pixpro
