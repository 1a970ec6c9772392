#include "memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <map>
#include <new>
#include <vector>

#include "emulator.h"
#include "host_access.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif

namespace cuda_emulation {
namespace {

constexpr size_t kAlignment = 256;
constexpr size_t kRedZoneBytes = 256;
constexpr size_t kHugePage = size_t{2} << 20;
constexpr size_t kAddressSpace = size_t{256} << 30;  // of all devices together
constexpr size_t kQuarantineBytes = size_t{256} << 20;
constexpr unsigned char kRedZoneByte = 0xca;

size_t round_up(size_t bytes, size_t unit) { return (bytes + unit - 1) / unit * unit; }

struct Block {
  size_t bytes;     // asked for
  size_t capacity;  // with the red zone
  int device;
  bool live;
};

struct Memory {
  char* begin = nullptr;  // one range of addresses; opened and closed as a whole
  size_t used = 0;
  int accesses = 0;
  size_t limit_bytes = size_t{64} << 30;  // of one device
  std::map<char*, Block> blocks;
  std::map<int, size_t> live_bytes;  // by device
  std::deque<char*> quarantine;      // freed blocks that may not be used again yet
  size_t quarantine_bytes = 0;
  std::map<size_t, std::vector<char*>> free;  // freed blocks by capacity
  std::map<char*, size_t> pinned;
};

// Never destroyed: destructors of statics may free their last memory.
Memory& memory() {
  static Memory& memory = *new Memory;
  return memory;
}

void reserve_addresses(Memory& m) {
  void* begin = mmap(nullptr, kAddressSpace + kHugePage, PROT_NONE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (begin == MAP_FAILED) throw std::bad_alloc();
  m.begin = reinterpret_cast<char*>(round_up(reinterpret_cast<size_t>(begin), kHugePage));
  // Opening and closing takes time a page, so the pages had better be large.
  madvise(m.begin, kAddressSpace, MADV_HUGEPAGE);
  explain_host_access(m.begin, m.begin + kAddressSpace);
}

void protect(const Memory& m, int protection) {
  if (m.used > 0) mprotect(m.begin, round_up(m.used, kHugePage), protection);
}

// All bits set: NaN in every floating type.
void spoil(char* begin, const Block& block) {
#ifdef __SANITIZE_ADDRESS__
  ASAN_UNPOISON_MEMORY_REGION(begin, block.capacity);
#endif
  std::memset(begin, 0xff, block.bytes);
  std::memset(begin + block.bytes, kRedZoneByte, block.capacity - block.bytes);
#ifdef __SANITIZE_ADDRESS__
  ASAN_POISON_MEMORY_REGION(begin + block.bytes, block.capacity - block.bytes);
  if (!block.live) ASAN_POISON_MEMORY_REGION(begin, block.bytes);
#endif
}

// Room for a block: one that was freed long ago, or fresh addresses; null where there are none.
char* find_room(Memory& m, size_t capacity) {
  std::vector<char*>& free = m.free[capacity];
  if (!free.empty()) {
    char* block = free.back();
    free.pop_back();
    return block;
  }
  if (m.used + capacity > kAddressSpace) return nullptr;
  char* block = m.begin + m.used;
  m.used += capacity;
  return block;
}

void leave_quarantine(Memory& m) {
  while (m.quarantine_bytes > kQuarantineBytes) {
    char* oldest = m.quarantine.front();
    m.quarantine.pop_front();
    const size_t capacity = m.blocks.at(oldest).capacity;
    m.quarantine_bytes -= capacity;
    m.free[capacity].push_back(oldest);
  }
}

// The last byte of the red zone that is not as it was; 0: all are. (AddressSanitizer stops a
// program that touches them.)
size_t written_behind([[maybe_unused]] const char* begin, [[maybe_unused]] const Block& block) {
#ifndef __SANITIZE_ADDRESS__
  for (size_t i = block.capacity; i > block.bytes; --i) {
    if (static_cast<unsigned char>(begin[i - 1]) != kRedZoneByte) return i - block.bytes;
  }
#endif
  return 0;
}

}  // namespace

DeviceAccess::DeviceAccess() {
  emulator_lock().lock();
  Memory& m = memory();
  if (m.accesses++ == 0) protect(m, PROT_READ | PROT_WRITE);
}

DeviceAccess::~DeviceAccess() {
  Memory& m = memory();
  if (--m.accesses == 0) protect(m, PROT_NONE);
  emulator_lock().unlock();
}

void* allocate_device(size_t bytes, int device) {
  Memory& m = memory();
  if (m.begin == nullptr) reserve_addresses(m);
  if (m.live_bytes[device] + bytes > m.limit_bytes) return nullptr;
  const size_t capacity = round_up(bytes, kAlignment) + kRedZoneBytes;
  char* begin = find_room(m, capacity);
  if (begin == nullptr) return nullptr;
  const Block& block = m.blocks[begin] = {bytes, capacity, device, true};
  m.live_bytes[device] += bytes;
  if (m.accesses > 0) protect(m, PROT_READ | PROT_WRITE);
  const DeviceAccess access;
  spoil(begin, block);
  return begin;
}

void free_device(void* pointer) {
  Memory& m = memory();
  char* begin = static_cast<char*>(pointer);
  const DeviceAccess access;
  Block& block = m.blocks.at(begin);
  if (const size_t beyond = written_behind(begin, block)) {
    report("somebody wrote up to ", beyond, " bytes beyond the end of a device block of ",
           block.bytes, " bytes");
  }
  block.live = false;
  m.live_bytes[block.device] -= block.bytes;
  spoil(begin, block);
  m.quarantine.push_back(begin);
  m.quarantine_bytes += block.capacity;
  leave_quarantine(m);
}

bool is_device_address(const void* address) {
  const Memory& m = memory();
  const char* p = static_cast<const char*>(address);
  return m.begin != nullptr && p >= m.begin && p < m.begin + kAddressSpace;
}

bool is_device_block(const void* pointer, size_t bytes) {
  const Memory& m = memory();
  char* begin = static_cast<char*>(const_cast<void*>(pointer));
  auto found = m.blocks.upper_bound(begin);
  if (found == m.blocks.begin()) return false;
  --found;
  return found->second.live && begin + bytes <= found->first + found->second.bytes;
}

bool is_start_of_device_block(const void* address) {
  const auto found = memory().blocks.find(static_cast<char*>(const_cast<void*>(address)));
  return found != memory().blocks.end() && found->second.live;
}

void check_red_zones(const std::string& culprit) {
  const DeviceAccess access;
  for (const auto& [begin, block] : memory().blocks) {
    const size_t beyond = written_behind(begin, block);
    if (beyond == 0) continue;
    report(culprit, " wrote up to ", beyond, " bytes beyond the end of a ",
           block.live ? "" : "freed ", "device block of ", block.bytes, " bytes");
    spoil(begin + block.bytes, {0, block.capacity - block.bytes, block.device, block.live});
  }
}

void* allocate_pinned(size_t bytes) {
  void* block = std::aligned_alloc(kAlignment, round_up(std::max<size_t>(bytes, 1), kAlignment));
  if (block == nullptr) return nullptr;
  std::memset(block, 0xff, bytes);
  memory().pinned[static_cast<char*>(block)] = bytes;
  return block;
}

bool free_pinned(void* block) {
  if (memory().pinned.erase(static_cast<char*>(block)) == 0) return false;
  std::free(block);
  return true;
}

bool is_pinned(const void* pointer, size_t bytes) {
  char* begin = static_cast<char*>(const_cast<void*>(pointer));
  auto found = memory().pinned.upper_bound(begin);
  if (found == memory().pinned.begin()) return false;
  --found;
  return begin + bytes <= found->first + found->second;
}

MemoryUse device_memory(int device) { return {memory().live_bytes[device], memory().limit_bytes}; }

void limit_device_memory(size_t bytes) { memory().limit_bytes = bytes; }

}  // namespace cuda_emulation
