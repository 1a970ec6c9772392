#include "pixpro/train/step_record.h"

#include <cmath>

namespace pixpro {
namespace {

int64_t count_numbers() {
  const StepRecord record;
  int64_t count = 0;
  for_each_number(record, [&](const char*, auto) { ++count; });
  return count;
}

void read_number(double found, const char*, double& number) { number = found; }

void read_number(double found, const char* name, int64_t& number) {
  constexpr double kMost = 9007199254740992.0;  // 2^53
  engine::require(0.0 <= found && found <= kMost && found == std::floor(found), "metrics: '", name,
                  "' must be a whole number, found ", found);
  number = static_cast<int64_t>(found);
}

}  // namespace

Tensor table_of(const std::vector<StepRecord>& steps) {
  Tensor table({static_cast<int64_t>(steps.size()), count_numbers()}, engine::DType::f64);
  double* cell = table.data<double>();
  for (const StepRecord& record : steps) {
    for_each_number(record,
                    [&](const char*, auto number) { *cell++ = static_cast<double>(number); });
  }
  return table;
}

std::vector<StepRecord> steps_of(const Tensor& table) {
  const engine::Shape& shape = table.shape();
  engine::require(
      table.dtype() == engine::DType::f64 && shape.axes() == 2 && shape[1] == count_numbers(),
      "metrics: expected a table f64 [steps,", count_numbers(), "], found ", table.dtype(), " ",
      shape);
  std::vector<StepRecord> steps(static_cast<size_t>(shape[0]));
  const double* cell = table.data<double>();
  for (StepRecord& record : steps) {
    for_each_number(record,
                    [&](const char* name, auto& number) { read_number(*cell++, name, number); });
  }
  return steps;
}

}  // namespace pixpro
