#include "pixpro/train/step_numbers.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "engine/kernels/norm.h"
#include "engine/tensor_ops.h"

namespace pixpro {
namespace {

// A message: the report, the number of micro-batches, then their blocks. A block: the number of
// images, the loss, and mean and variance of each column of the pair sums and of each channel of
// the features.
enum Header : int64_t { kWaitSeconds, kBrokenImages, kStopRequested, kMicroBatches, kHeader };
enum Block : int64_t { kImages, kLoss, kPairs, kFeatures = kPairs + 2 * kColumns };

int64_t block_length(int64_t channels) { return kFeatures + 2 * channels; }

// Means and variances over images: of the loss, the pair sums and the features.
struct Moments {
  double images = 0.0, loss = 0.0;
  std::vector<double> pair_means, feature_means, feature_variances;

  explicit Moments(std::span<const double> block) : images(block[kImages]), loss(block[kLoss]) {
    const auto pairs = block.subspan(kPairs, kColumns), features = block.subspan(kFeatures);
    const size_t channels = features.size() / 2;
    pair_means.assign(pairs.begin(), pairs.end());
    feature_means.assign(features.begin(), features.begin() + static_cast<int64_t>(channels));
    feature_variances.assign(features.begin() + static_cast<int64_t>(channels), features.end());
  }

  // Chan, Golub and LeVeque, 1979.
  void merge(const Moments& other) {
    const double all = images + other.images, share = other.images / all;
    loss += (other.loss - loss) * share;
    for (size_t i = 0; i < pair_means.size(); ++i) {
      pair_means[i] += (other.pair_means[i] - pair_means[i]) * share;
    }
    for (size_t c = 0; c < feature_means.size(); ++c) {
      const double apart = other.feature_means[c] - feature_means[c];
      feature_means[c] += apart * share;
      feature_variances[c] += (other.feature_variances[c] - feature_variances[c]) * share +
                              apart * apart * share * (1.0 - share);
    }
    images = all;
  }
};

void add_report(RankReport& all, std::span<const double> message) {
  all.wait_seconds = std::max(all.wait_seconds, message[kWaitSeconds]);
  all.broken_images += static_cast<int64_t>(message[kBrokenImages]);
  all.stop_requested = all.stop_requested || message[kStopRequested] != 0.0;
}

Tensor piece(const Tensor& message, int64_t begin, engine::Shape shape) {
  return message.part(begin, std::move(shape), engine::Layout::plain);
}

}  // namespace

StepNumbers::StepNumbers(engine::Device device, engine::Communicator* lane) : lane_(lane) {
  for (Step& step : ring_) step.numbers = engine::make_readback(device);
}

Tensor StepNumbers::message(const RankReport& report, int64_t micro_batches, int64_t images,
                            int64_t channels) {
  Tensor message =
      engine::zeros({kHeader + micro_batches * block_length(channels)}, engine::DType::f64);
  double* values = message.data<double>();
  values[kWaitSeconds] = report.wait_seconds;
  values[kBrokenImages] = static_cast<double>(report.broken_images);
  values[kStopRequested] = report.stop_requested ? 1.0 : 0.0;
  values[kMicroBatches] = static_cast<double>(micro_batches);
  for (int64_t i = 0; i < micro_batches; ++i) {
    values[kHeader + i * block_length(channels) + kImages] = static_cast<double>(images);
  }
  return message;
}

void StepNumbers::write(const Model::Output& output, int64_t index, const Tensor& message) {
  const int64_t channels = output.features.shape()[1];
  const int64_t block = kHeader + index * block_length(channels);
  Tensor loss = piece(message, block + kLoss, {});
  Tensor pairs = piece(message, block + kPairs, {1, 2, kColumns});
  Tensor features = piece(message, block + kFeatures, {1, 2, channels});
  engine::copy_into(output.loss.value(), loss);
  const Tensor sums = to_dtype(output.pairs, output.loss.value().dtype());
  engine::on_device(message.device(), [&](auto& ctx) {
    batch_norm_statistics(ctx, sums, pairs);
    batch_norm_statistics(ctx, output.features, features);
  });
}

void StepNumbers::require_free_slot() const {
  engine::require(under_way() < 2, "trainer: two steps have been started, finish one first");
}

void StepNumbers::start(const StepResult& known, const Tensor& message, int64_t pixels,
                        const Tensor& not_finite, const Tensor& loss_scale) {
  require_free_slot();
  Tensor messages = message;
  if (lane_ != nullptr) {
    messages = Tensor({lane_->size(), message.elements()}, engine::DType::f64, message.device());
    lane_->all_gather(message, messages);
  }
  std::vector<Tensor> tensors = {messages, not_finite};
  if (loss_scale.defined()) tensors.push_back(loss_scale);
  Step& step = slot(started_++);
  step.known = known;
  step.pixels = pixels;
  step.numbers->start(tensors);
}

StepResult StepNumbers::finish() {
  engine::require(under_way() > 0, "trainer: no step has been started");
  Step& step = slot(finished_++);
  const std::vector<Tensor> tensors = step.numbers->finish();
  if (lane_ != nullptr) lane_->check_health();  // a collective that was aborted leaves anything
  StepResult result = step.known;
  std::optional<Moments> moments;
  const std::span<const double> all(tensors[0].data<double>(),
                                    static_cast<size_t>(tensors[0].elements()));
  const size_t length = all.size() / static_cast<size_t>(lane_ ? lane_->size() : 1);
  for (size_t begin = 0; begin < all.size(); begin += length) {
    const auto message = all.subspan(begin, length);
    add_report(result.report, message);
    const size_t block = (length - kHeader) / static_cast<size_t>(message[kMicroBatches]);
    for (size_t at = kHeader; at < length; at += block) {
      const Moments next(message.subspan(at, block));
      moments ? moments->merge(next) : static_cast<void>(moments.emplace(next));
    }
  }
  result.images = static_cast<int64_t>(moments->images);
  result.loss = moments->loss;
  result.collapse = measure_collapse(moments->pair_means, moments->feature_variances, step.pixels);
  result.skipped = engine::item(tensors[1]) != 0.0;
  if (tensors.size() > 2) result.loss_scale = engine::to_values(tensors[2])[0];
  return result;
}

}  // namespace pixpro
