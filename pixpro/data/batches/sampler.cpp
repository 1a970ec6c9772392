#include "pixpro/data/batches/sampler.h"

#include <numeric>
#include <utility>

namespace pixpro {

std::vector<int64_t> epoch_order(int64_t count, uint64_t seed, int64_t epoch) {
  // The streams of views end in 1 and 2 (see below), that of the order ends in 0, and those of
  // substitutes end in 3.
  engine::Random random(seed, static_cast<uint32_t>(epoch));
  std::vector<int64_t> order(static_cast<size_t>(count));
  std::iota(order.begin(), order.end(), int64_t{0});
  for (int64_t last = count - 1; last > 0; --last) {
    std::swap(order[static_cast<size_t>(last)], order[static_cast<size_t>(random.below(last + 1))]);
  }
  return order;
}

engine::Random view_stream(uint64_t seed, int64_t epoch, int64_t sample, int view) {
  return engine::Random(seed, static_cast<uint32_t>(epoch), static_cast<uint32_t>(sample),
                        static_cast<uint32_t>(view + 1));
}

Substitutes::Substitutes(int64_t count, uint64_t seed, int64_t epoch, int64_t sample)
    : count_(count), sample_(sample) {
  engine::Random random(seed, static_cast<uint32_t>(epoch), static_cast<uint32_t>(sample), 3);
  next_ = random.below(count);
  // A stride without a common divisor reaches every image once.
  do {
    stride_ = 1 + random.below(count - 1);
  } while (std::gcd(stride_, count) != 1);
}

int64_t Substitutes::next() {
  int64_t found;
  do {
    found = next_;
    next_ += next_ < count_ - stride_ ? stride_ : stride_ - count_;
  } while (found == sample_);
  return found;
}

}  // namespace pixpro
