#include "tests/cuda_emulation/memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <map>
#include <new>
#include <vector>

#include "tests/cuda_emulation/control.h"
#include "tests/cuda_emulation/emulator.h"
#include "tests/cuda_emulation/host_access.h"
#include "tests/cuda_emulation/sanitizers.h"

namespace cuda_emulation {
namespace {

constexpr size_t kAlignment = 256;
constexpr size_t kRedZoneBytes = 256;
constexpr size_t kHugePage = size_t{2} << 20;
constexpr size_t kAddressSpace = size_t{256} << 30;  // of all devices together
// Freed memory is not reused until this much has been freed after it. Under ThreadSanitizer, which
// would take its former use for a race with the next, it is never reused.
constexpr size_t kQuarantineBytes = kThreadSanitizer ? kAddressSpace : size_t{256} << 20;
constexpr unsigned char kRedZoneByte = 0xca;

size_t round_up(size_t bytes, size_t unit) { return (bytes + unit - 1) / unit * unit; }

struct Block {
  size_t bytes;     // requested
  size_t capacity;  // with the red zone
  int device;
  bool live;
};

struct Memory {
  char* begin = nullptr;  // one range of addresses; opened and closed as a whole
  size_t used = 0;
  int accesses = 0;
  size_t limit_bytes = kDeviceBytes;  // of one device
  std::map<char*, Block> blocks;
  std::map<int, size_t> live_bytes;  // by device
  std::deque<char*> quarantine;      // freed blocks that must not be reused yet
  size_t quarantine_bytes = 0;
  std::map<size_t, std::vector<char*>> free;  // freed blocks by capacity
  std::map<char*, size_t> pinned;
};

// Never destroyed: destructors of static objects may free memory.
Memory& memory() {
  static Memory& memory = *new Memory;
  return memory;
}

void reserve_addresses(Memory& m) {
  void* begin = mmap(nullptr, kAddressSpace + kHugePage, PROT_NONE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (begin == MAP_FAILED) throw std::bad_alloc();
  m.begin = reinterpret_cast<char*>(round_up(reinterpret_cast<size_t>(begin), kHugePage));
  // The time to open and close memory grows with the number of pages, so they should be large.
  madvise(m.begin, kAddressSpace, MADV_HUGEPAGE);
  explain_host_access(m.begin, m.begin + kAddressSpace);
}

void protect(const Memory& m, int protection) {
  if (m.used > 0) mprotect(m.begin, round_up(m.used, kHugePage), protection);
}

// Sets all bits, which is NaN in every floating-point type, and restores the red zone.
void spoil(char* begin, const Block& block) {
  allow_access(begin, block.capacity);
  std::memset(begin, 0xff, block.bytes);
  std::memset(begin + block.bytes, kRedZoneByte, block.capacity - block.bytes);
  forbid_access(begin + block.bytes, block.capacity - block.bytes);
  if (!block.live) forbid_access(begin, block.bytes);
}

// Addresses for a block: those of one that was freed long ago, or new ones; null if none are left.
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

// Has no early exit, so that the compiler can vectorise it.
bool all_are(const char* begin, size_t bytes, unsigned char value) {
  unsigned difference = 0;
  for (size_t i = 0; i < bytes; ++i) {
    difference |= static_cast<unsigned char>(begin[i]) ^ value;
  }
  return difference == 0;
}

// How many bytes beyond the block's end the last overwritten byte is; 0 if there is none.
// (AddressSanitizer stops a program at the write itself.)
size_t bytes_beyond_end(const char* begin, const Block& block) {
  size_t bytes = block.capacity - block.bytes;
  const char* zone = begin + block.bytes;
  if (kAddressSanitizer || all_are(zone, bytes, kRedZoneByte)) return 0;
  while (static_cast<unsigned char>(zone[bytes - 1]) == kRedZoneByte) --bytes;
  return bytes;
}

bool written_after_free(const char* begin, const Block& block, size_t bytes) {
  return !kAddressSanitizer && !block.live && !all_are(begin, std::min(bytes, block.bytes), 0xff);
}

void leave_quarantine(Memory& m) {
  while (m.quarantine_bytes > kQuarantineBytes) {
    char* oldest = m.quarantine.front();
    m.quarantine.pop_front();
    const Block& block = m.blocks.at(oldest);
    if (written_after_free(oldest, block, block.bytes)) {
      report("a freed device block of ", block.bytes, " bytes was written to");
    }
    m.quarantine_bytes -= block.capacity;
    m.free[block.capacity].push_back(oldest);
  }
}

}  // namespace

DeviceAccess::DeviceAccess() {
  Memory& m = memory();
  if (m.accesses++ == 0) protect(m, PROT_READ | PROT_WRITE);
}

DeviceAccess::~DeviceAccess() {
  Memory& m = memory();
  if (--m.accesses == 0) protect(m, PROT_NONE);
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
  if (const size_t beyond = bytes_beyond_end(begin, block)) {
    report("a device block of ", block.bytes, " bytes was written up to ", beyond,
           " bytes beyond its end");
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
  constexpr size_t kSample = 64;  // bytes of a freed block; reuse will check the rest
  const DeviceAccess access;
  for (const auto& [begin, block] : memory().blocks) {
    const size_t beyond = bytes_beyond_end(begin, block);
    if (beyond > 0) {
      report(culprit, " wrote up to ", beyond, " bytes beyond the end of a device block of ",
             block.bytes, " bytes");
    } else if (written_after_free(begin, block, kSample)) {
      report(culprit, " wrote into a freed device block of ", block.bytes, " bytes");
    } else {
      continue;
    }
    if (block.live) {
      std::memset(begin + block.bytes, kRedZoneByte, block.capacity - block.bytes);
    } else {
      spoil(begin, block);
    }
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

void limit_device_memory(size_t bytes) {
  const std::lock_guard lock(emulator_lock());
  memory().limit_bytes = bytes;
}

}  // namespace cuda_emulation
