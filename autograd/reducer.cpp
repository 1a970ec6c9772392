#include "autograd/reducer.h"

#include "engine/kernels/pointwise.h"
#include "engine/tensor_ops.h"

namespace autograd {

using engine::require;

GradientReducer::GradientReducer(const std::vector<Var>& parameters, engine::Communicator& lane,
                                 const ReducerOptions& options)
    : lane_(lane) {
  assign_buckets(parameters, options);
  require_same_on_all_ranks();
  for (Place& place : places_) {
    place.parameter.on_ready([this, &place] {
      if (!armed_) return;
      fill(place);
      start_full_buckets();
    });
  }
}

GradientReducer::~GradientReducer() {
  for (Place& place : places_) place.parameter.on_ready(nullptr);
}

void GradientReducer::assign_buckets(const std::vector<Var>& parameters,
                                     const ReducerOptions& options) {
  for (auto next = parameters.rbegin(); next != parameters.rend(); ++next) {
    const Var& parameter = *next;
    if (!parameter.needs_grad()) continue;
    const Tensor& value = parameter.value();
    const int64_t limit = buckets_.size() == 1 ? options.first_bucket_bytes : options.bucket_bytes;
    const DType sent = options.in_bf16 ? DType::bf16 : value.dtype();
    const auto bytes_with_it = [&] {
      return (buckets_.back().elements + value.elements()) * engine::size_of(sent);
    };
    if (buckets_.empty() || buckets_.back().dtype != value.dtype() || bytes_with_it() > limit) {
      buckets_.push_back({.dtype = value.dtype(), .sent_dtype = sent});
    }
    Bucket& bucket = buckets_.back();
    places_.push_back({parameter, buckets_.size() - 1, bucket.elements});
    bucket.elements += value.elements();
    ++bucket.places;
  }
}

// Ranks that add up different buckets would mix up gradients or wait forever.
void GradientReducer::require_same_on_all_ranks() const {
  if (places_.empty()) return;
  uint64_t hash = 14695981039346656037U;  // FNV-1a
  const auto add = [&](int64_t value) {
    hash = (hash ^ static_cast<uint64_t>(value)) * 1099511628211U;
  };
  for (const Place& place : places_) {
    add(static_cast<int64_t>(place.bucket));
    add(static_cast<int64_t>(place.parameter.value().dtype()));
    add(static_cast<int64_t>(buckets_[place.bucket].sent_dtype));
    for (const int64_t extent : place.parameter.shape()) add(extent);
  }
  const auto count = static_cast<double>(places_.size());
  // Exact in f64, which every device and communicator takes.
  const Tensor own = engine::to_device(
      engine::from_values<double>({1, 3}, {count, static_cast<double>(hash >> 32),
                                           static_cast<double>(hash & 0xffffffffU)}),
      places_.front().parameter.value().device());
  Tensor all({lane_.size(), 3}, DType::f64, own.device());
  lane_.all_gather(own, all);
  const std::vector<double> rows = engine::to_values(all);
  lane_.check_health();
  for (size_t rank = 1; 3 * rank < rows.size(); ++rank) {
    require(
        std::equal(rows.begin(), rows.begin() + 3, rows.begin() + 3 * static_cast<int64_t>(rank)),
        "gradients: rank ", rank, " trains other parameters than rank 0, or in other buckets (",
        rows[3 * rank], " parameters, rank 0 has ", rows[0],
        "); start all ranks with the same settings");
  }
}

void GradientReducer::arm() {
  require(!armed_, "gradients: finish() must follow each sweep after arm()");
  for (Place& place : places_) place.is_filled = false;
  for (Bucket& bucket : buckets_) bucket.empty_places = bucket.places;
  next_ = 0;
  armed_ = true;
}

void GradientReducer::fill(Place& place) {
  require(!place.is_filled, "gradients: arm() is for one sweep, and this is another one");
  Bucket& bucket = buckets_[place.bucket];
  const Tensor& value = place.parameter.value();
  if (!bucket.flat.defined()) bucket.flat = Tensor({bucket.elements}, bucket.dtype, value.device());
  Tensor target = bucket.flat.part(place.begin, value.shape(), value.layout());
  Tensor& gradient = place.parameter.slot()->grad;
  engine::on_device(value.device(), [&](auto& ctx) {
    gradient.defined() ? engine::copy(ctx, gradient, target) : engine::fill(ctx, target, 0.0);
  });
  gradient = target;
  place.is_filled = true;
  --bucket.empty_places;
}

void GradientReducer::start_full_buckets() {
  for (; next_ < buckets_.size() && buckets_[next_].empty_places == 0; ++next_) {
    Bucket& bucket = buckets_[next_];
    bucket.sent = to_dtype(bucket.flat, bucket.sent_dtype);
    bucket.sum = lane_.start_all_reduce(bucket.sent);
  }
}

void GradientReducer::finish() {
  require(armed_, "gradients: arm() must come before finish()");
  for (Place& place : places_) {
    if (!place.is_filled) fill(place);
  }
  start_full_buckets();
  for (Bucket& bucket : buckets_) {
    lane_.join(bucket.sum);
    if (bucket.sent_dtype != bucket.dtype) engine::copy_into(bucket.sent, bucket.flat);
    bucket.flat = bucket.sent = Tensor();  // the gradients hold its memory
  }
  armed_ = false;
}

}  // namespace autograd
