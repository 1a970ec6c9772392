// Cuts blocks out of large segments of memory, best fit, and joins them again when they come back.
// Only addresses are handled here, never the memory itself, so it serves every device.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <utility>

namespace engine {

class BlockPool {
 public:
  void add_segment(char* begin, int64_t bytes);

  // The smallest free block that holds `bytes` (among equals the lowest address), cut to size; null
  // where there is none.
  char* take(int64_t bytes);

  // Frees a block that take() gave; it grows together with its free neighbours.
  void give_back(char* block);

  // Takes a segment out again where nothing of it is in use; says whether it did.
  bool remove_segment(char* begin, int64_t bytes);

  // Bytes of the largest free block.
  int64_t largest_free() const { return free_.empty() ? 0 : free_.rbegin()->first; }

  // Where the free block that ends at `end` begins; `end` itself where the last block is in use.
  char* free_tail(char* end) const;

 private:
  struct Block {
    int64_t bytes;
    bool is_free;
    bool begins_segment;  // never joined with what happens to lie before it
  };
  using Blocks = std::map<char*, Block>;

  void make_free(Blocks::iterator block);

  Blocks blocks_;                             // all of them, by address
  std::set<std::pair<int64_t, char*>> free_;  // the free ones, by size
};

}  // namespace engine
