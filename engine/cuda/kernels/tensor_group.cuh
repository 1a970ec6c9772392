// Kernels over many tensors in a handful of launches. One launch handles a group of tensors, whose
// addresses travel as a kernel argument. Tensors are dealt to blocks in chunks, so that one large
// tensor keeps the device busy and many small ones cost little.
#pragma once

#include <algorithm>
#include <vector>

#include "engine/cuda/kernel.cuh"

namespace engine {

// Up to kMost items (structs with a member `elements`), and which blocks work on each.
template <class Item>
struct TensorGroup {
  static constexpr int kMost = 72;            // every device takes 4 KB of kernel arguments
  static constexpr int64_t kChunk = 1 << 14;  // elements per block

  Item items[kMost];
  int first_block[kMost + 1] = {0};  // of each item; the last entry: number of blocks
  int count = 0;

  void append(const Item& item) {
    const int64_t chunks = ceil_div(item.elements, kChunk);
    items[count] = item;
    first_block[count + 1] = first_block[count] + static_cast<int>(chunks);
    ++count;
  }
  int blocks() const { return first_block[count]; }
  Grid grid() const {
    return {.blocks = dim3(static_cast<unsigned>(blocks())), .threads = dim3(kBlockThreads)};
  }

  // The item that this block works on.
  __device__ int item_of_block() const {
    int low = 0, high = count - 1;
    while (low < high) {
      const int middle = (low + high + 1) / 2;
      if (first_block[middle] <= static_cast<int>(blockIdx.x)) {
        low = middle;
      } else {
        high = middle - 1;
      }
    }
    return low;
  }

  // Calls f(element) for this thread's share of the block's chunk of item `i`.
  template <class F>
  __device__ void for_each_element(int i, F&& f) const {
    const int64_t begin = (static_cast<int>(blockIdx.x) - first_block[i]) * kChunk;
    const int64_t end = begin + kChunk < items[i].elements ? begin + kChunk : items[i].elements;
    for (int64_t j = begin + threadIdx.x; j < end; j += kBlockThreads) f(j);
  }
};

// Splits the items into groups and calls f(group) for each.
template <class Item, class F>
void for_groups(const std::vector<Item>& items, F&& f) {
  constexpr size_t kMost = TensorGroup<Item>::kMost;
  for (size_t begin = 0; begin < items.size(); begin += kMost) {
    TensorGroup<Item> group;
    const size_t end = std::min(items.size(), begin + kMost);
    for (size_t i = begin; i < end; ++i) group.append(items[i]);
    f(group);
  }
}

}  // namespace engine
