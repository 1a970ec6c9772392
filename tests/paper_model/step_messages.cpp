#include "tests/paper_model/step_messages.h"

namespace paper_model {
namespace {

void add_batch_norms(const pixpro::Model& model, bool in_lockstep, StepMessages& messages) {
  Messages &online = messages[pixpro::kOnlineLane], &target = messages[pixpro::kTargetLane];
  for (const layers::NamedTensor& buffer : model.buffers()) {
    if (!buffer.name.ends_with("running_mean")) continue;
    const int64_t statistics = 32 * buffer.tensor.elements();
    const bool is_target = buffer.name.find("_k.") != std::string::npos;
    if (!is_target) {
      online.add_gather(statistics + 8);
      online.add_sum(statistics);
    } else if (in_lockstep) {
      online.bytes += statistics, online.gathered += statistics;
    } else {
      target.add_gather(statistics + 8);
    }
  }
}

// Buckets are filled from the last parameter on.
void add_buckets(const pixpro::Model& model, const autograd::ReducerOptions& options,
                 Messages& messages) {
  const auto parameters = model.parameters();
  int64_t bucket = 0;
  for (auto p = parameters.rbegin(); p != parameters.rend(); ++p) {
    if (!p->var.needs_grad()) continue;
    const int64_t bytes = p->var.value().elements() * (options.in_bf16 ? 2 : 4);
    const int64_t limit = messages.count == 0 ? options.first_bucket_bytes : options.bucket_bytes;
    if (bucket > 0 && bucket + bytes > limit) {
      messages.add_sum(bucket);
      bucket = 0;
    }
    bucket += bytes;
  }
  messages.add_sum(bucket);
}

}  // namespace

StepMessages step_messages(const pixpro::Model& model, const TrafficShape& shape) {
  StepMessages messages;
  for (int64_t i = 0; i < shape.accumulate; ++i) {
    add_batch_norms(model, shape.in_lockstep, messages);
  }
  add_buckets(model, shape.buckets, messages[pixpro::kGradientLane]);
  messages[pixpro::kNumbersLane].add_sum(4);
  messages[pixpro::kNumbersLane].add_gather(
      8 * (4 + shape.accumulate * (10 + 2 * shape.output_channels)));
  return messages;
}

}  // namespace paper_model
