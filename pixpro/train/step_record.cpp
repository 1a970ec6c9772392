#include "pixpro/train/step_record.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <string_view>

namespace pixpro {
namespace {

constexpr std::string_view kTableColumns[] = {
    "epoch",
    "step",
    "loss",
    "lr",
    "momentum",
    "feature_std",
    "positives_per_image",
    "positive_similarity",
    "other_similarity",
    "images_per_second",
    "wait_fraction",
    "broken_images",
    "skipped_steps",
    "loss_scale",
};
constexpr int64_t kWidth = std::size(kTableColumns);

void read_number(double found, const char*, double& number) { number = found; }

void read_number(double found, const char* name, int64_t& number) {
  constexpr double kMost = 9007199254740992.0;  // 2^53
  engine::require(0.0 <= found && found <= kMost && found == std::floor(found), "metrics: '", name,
                  "' must be a whole number, found ", found);
  number = static_cast<int64_t>(found);
}

}  // namespace

std::vector<StepRecord> steps_of(const Tensor& table) {
  const engine::Shape& shape = table.shape();
  engine::require(table.dtype() == engine::DType::f64 && shape.axes() == 2 && shape[1] == kWidth,
                  "metrics: expected a table f64 [steps,", kWidth, "], found ", table.dtype(), " ",
                  shape);
  std::vector<StepRecord> steps(static_cast<size_t>(shape[0]));
  const double* row = table.data<double>();
  for (StepRecord& record : steps) {
    for_each_number(record, [&](const char* name, auto& number) {
      const auto column = std::ranges::find(kTableColumns, name) - std::begin(kTableColumns);
      if (column < kWidth) read_number(row[column], name, number);
    });
    row += kWidth;
  }
  return steps;
}

}  // namespace pixpro
