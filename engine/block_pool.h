// Cuts blocks from large segments of memory, best fit, and merges them again when they are freed.
// Handles only addresses, never the memory itself, so it serves every device.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <utility>

namespace engine {

class BlockPool {
 public:
  void add_segment(char* begin, int64_t bytes);

  // The smallest free block that holds `bytes` (among equals the one with the lowest address), cut
  // to size. Null if there is none.
  char* take(int64_t bytes);

  // Frees a block that take() returned and merges it with adjacent free blocks.
  void give_back(char* block);

  // Removes a segment if no block of it is in use; tells whether it did.
  bool remove_segment(char* begin, int64_t bytes);

  // Bytes of the largest free block.
  int64_t largest_free() const { return free_.empty() ? 0 : free_.rbegin()->first; }

  // Begin of the free block that ends at `end`, or `end` itself if the block there is in use.
  char* free_tail(char* end) const;

 private:
  struct Block {
    int64_t bytes;
    bool is_free;
    bool begins_segment;  // never merged with a block that happens to end where it begins
  };
  using Blocks = std::map<char*, Block>;

  void make_free(Blocks::iterator block);

  Blocks blocks_;                             // all, by address
  std::set<std::pair<int64_t, char*>> free_;  // the free ones, by size and address
};

}  // namespace engine
