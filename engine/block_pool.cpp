#include "engine/block_pool.h"

#include <iterator>

namespace engine {

void BlockPool::add_segment(char* begin, int64_t bytes) {
  make_free(blocks_.insert({begin, {bytes, false, true}}).first);
}

char* BlockPool::take(int64_t bytes) {
  const auto fit = free_.lower_bound({bytes, nullptr});
  if (fit == free_.end()) return nullptr;
  const auto [found, begin] = *fit;
  free_.erase(fit);
  Block& block = blocks_.at(begin);
  block.bytes = bytes;
  block.is_free = false;
  if (found > bytes)
    make_free(blocks_.insert({begin + bytes, {found - bytes, false, false}}).first);
  return begin;
}

void BlockPool::give_back(char* block) { make_free(blocks_.find(block)); }

bool BlockPool::remove_segment(char* begin, int64_t bytes) {
  const auto block = blocks_.find(begin);
  if (!block->second.is_free || block->second.bytes != bytes) return false;
  free_.erase({bytes, begin});
  blocks_.erase(block);
  return true;
}

char* BlockPool::free_tail(char* end) const {
  const auto last = std::prev(blocks_.lower_bound(end));
  return last->second.is_free ? last->first : end;
}

void BlockPool::make_free(Blocks::iterator block) {
  const auto next = std::next(block);
  if (next != blocks_.end() && next->second.is_free && !next->second.begins_segment) {
    free_.erase({next->second.bytes, next->first});
    block->second.bytes += next->second.bytes;
    blocks_.erase(next);
  }
  if (!block->second.begins_segment && std::prev(block)->second.is_free) {
    const auto before = std::prev(block);
    free_.erase({before->second.bytes, before->first});
    before->second.bytes += block->second.bytes;
    blocks_.erase(block);
    block = before;
  }
  block->second.is_free = true;
  free_.insert({block->second.bytes, block->first});
}

}  // namespace engine
