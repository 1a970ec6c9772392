#include "pixpro/data/batches/sampler.h"

#include <numeric>
#include <utility>

namespace pixpro {

std::vector<int64_t> epoch_order(int64_t count, uint64_t seed, int64_t epoch) {
  // The streams of views end in 1 and 2 (see below), that of the order ends in 0.
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

}  // namespace pixpro
