#include "pixpro/train/running_estimates.h"

#include <utility>

#include "engine/kernels/copy_if.h"

namespace pixpro {
namespace {

using engine::Tensor;

void copy(const Tensor& condition, const std::vector<Tensor>& from, std::vector<Tensor>& to) {
  if (from.empty()) return;
  engine::on_device(from.front().device(), [&](auto& ctx) { copy_if(ctx, condition, from, to); });
}

}  // namespace

RunningEstimates::RunningEstimates(const layers::Module& module) {
  for (const layers::NamedTensor& buffer : module.buffers()) {
    if (buffer.tensor.dtype() == engine::DType::i64) {
      batches_.push_back(buffer.tensor);
    } else {
      estimates_.push_back(buffer.tensor);
      kept_.push_back(empty_like(buffer.tensor));
    }
  }
}

void RunningEstimates::begin_step() {
  copy({}, estimates_, kept_);
  counts_before_ = counts();
}

void RunningEstimates::end_step(const Tensor& not_finite) {
  copy(not_finite, kept_, estimates_);
  Counts counted = counts();
  for (size_t i = 0; i < counted.size(); ++i) counted[i] -= counts_before_[i];
  counted_.push_back(std::move(counted));
}

void RunningEstimates::finish_step(bool skipped) {
  if (skipped) {
    for (size_t i = 0; i < batches_.size(); ++i) {
      *batches_[i].data<int64_t>() -= counted_.front()[i];
    }
  }
  counted_.pop_front();
}

RunningEstimates::Counts RunningEstimates::counts() const {
  Counts counts;
  for (const Tensor& batches : batches_) counts.push_back(*batches.data<int64_t>());
  return counts;
}

}  // namespace pixpro
