// Signs of a collapse. The loss does not show one: a network that maps everything to a single
// vector also reaches the lowest loss.
#pragma once

#include <cstdint>
#include <span>

namespace pixpro {

struct CollapseMeasures {
  // Standard deviation of the normalised features over pixels and images, mean over the channels:
  // 0 if collapsed, 1/sqrt(C) if spread evenly.
  double feature_std = 0.0;
  double positives_per_image = 0.0;  // positive pixel pairs per image, out of P * P
  double positive_similarity = 0.0;  // mean cosine of the positive pairs
  double other_similarity = 0.0;     // mean cosine of all other pairs of the two views
};

// The measures in the order in which they are written down. Whatever treats all of them alike loops
// over this list.
struct NamedMeasure {
  const char* name;
  double CollapseMeasures::*value;
};
inline constexpr NamedMeasure kCollapseMeasures[] = {
    {"feature_std", &CollapseMeasures::feature_std},
    {"positives_per_image", &CollapseMeasures::positives_per_image},
    {"positive_similarity", &CollapseMeasures::positive_similarity},
    {"other_similarity", &CollapseMeasures::other_similarity},
};

// pair_means: the mean over images of each column of the per-image sums of pixpro/method/kernels.h.
// feature_variances: of every channel of the normalised features, over images and pixels. pixels:
// P.
CollapseMeasures measure_collapse(std::span<const double> pair_means,
                                  std::span<const double> feature_variances, int64_t pixels);

}  // namespace pixpro
