// Work over many tensors at once, dealt to threads in chunks of elements: one large tensor keeps
// all threads busy, and many small ones cost little. Chunks do not depend on the number of threads,
// so sums taken chunk by chunk do not either.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/parallel.h"

namespace engine {

struct Chunk {
  size_t tensor;
  int64_t begin, end;
};

// elements(item): the size of an item's tensor.
template <class Items, class SizeOf>
std::vector<Chunk> chunks_of(const Items& items, SizeOf elements) {
  constexpr int64_t kChunk = 1 << 14;
  std::vector<Chunk> chunks;
  for (size_t i = 0; i < items.size(); ++i) {
    const int64_t size = elements(items[i]);
    for (int64_t begin = 0; begin < size; begin += kChunk) {
      chunks.push_back({i, begin, std::min(begin + kChunk, size)});
    }
  }
  return chunks;
}

// Calls f(number of the chunk, chunk) in parallel.
template <class F>
void for_chunks(const std::vector<Chunk>& chunks, F&& f) {
  parallel_for(static_cast<int64_t>(chunks.size()), 2, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) f(static_cast<size_t>(i), chunks[static_cast<size_t>(i)]);
  });
}

}  // namespace engine
