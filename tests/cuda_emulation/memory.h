// Device memory and pinned host memory.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

namespace cuda_emulation {

// While one lives, device memory can be touched; at all other times that ends the program, as on a
// machine with a GPU. For whoever acts as the device, under the emulator's lock.
class DeviceAccess {
 public:
  DeviceAccess();
  ~DeviceAccess();
  DeviceAccess(const DeviceAccess&) = delete;
  DeviceAccess& operator=(const DeviceAccess&) = delete;
};

// Full of NaN, with red zones behind it; null where the device has no more.
void* allocate_device(size_t bytes, int device);
void free_device(void* block);  // fills it with NaN; its address is not used again for a while

// Is this an address of device memory (of any device, in use or not)?
bool is_device_address(const void* address);
// Do `bytes` bytes from here lie within one live block?
bool is_device_block(const void* begin, size_t bytes);
bool is_start_of_device_block(const void* address);

// Reports every block beyond whose end somebody has written; `culprit` says who ran last.
void check_red_zones(const std::string& culprit);

// Memory that copies can read and write after the call has returned.
void* allocate_pinned(size_t bytes);
bool free_pinned(void* block);
bool is_pinned(const void* begin, size_t bytes);

struct MemoryUse {
  size_t used_bytes, total_bytes;
};
MemoryUse device_memory(int device);

}  // namespace cuda_emulation
