#include "tests/paper_model/step_messages.h"

namespace paper_model {
namespace {

void add_batch_norms(const pixpro::Model& model, StepMessages& messages) {
  for (const layers::NamedTensor& buffer : model.buffers()) {
    if (!buffer.name.ends_with("running_mean")) continue;
    const int64_t channels = buffer.tensor.elements(), forward = 8 * (4 * channels + 1);
    if (buffer.name.find("_k.") != std::string::npos) {
      messages[pixpro::kTargetLane].add(forward);
    } else {
      messages[pixpro::kOnlineLane].add(forward);
      messages[pixpro::kOnlineLane].add(32 * channels);
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
      messages.add(bucket);
      bucket = 0;
    }
    bucket += bytes;
  }
  messages.add(bucket);
}

}  // namespace

StepMessages step_messages(const pixpro::Model& model, int64_t output_channels,
                           const autograd::ReducerOptions& buckets, int64_t accumulate) {
  StepMessages messages;
  for (int64_t i = 0; i < accumulate; ++i) add_batch_norms(model, messages);
  add_buckets(model, buckets, messages[pixpro::kGradientLane]);
  messages[pixpro::kNumbersLane].add(4);
  messages[pixpro::kNumbersLane].add(8 * (4 + accumulate * (10 + 2 * output_channels)));
  return messages;
}

}  // namespace paper_model
