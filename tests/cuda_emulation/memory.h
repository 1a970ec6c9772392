// Device memory and pinned host memory.
#pragma once

#include <cstddef>
#include <string>

namespace cuda_emulation {

// While an object of this class exists, device memory can be accessed. At all other times an access
// ends the program, as on a machine with a GPU. For code that acts as the device, under the
// emulator's lock.
class DeviceAccess {
 public:
  DeviceAccess();
  ~DeviceAccess();
  DeviceAccess(const DeviceAccess&) = delete;
  DeviceAccess& operator=(const DeviceAccess&) = delete;
};

// A block full of NaN, followed by a red zone; null if the device is out of memory.
void* allocate_device(size_t bytes, int device);
void free_device(void* block);  // fills it with NaN; its addresses are not reused for a while

// Is this an address of device memory (of any device, in use or not)?
bool is_device_address(const void* address);
// Are `bytes` bytes from here within one live block?
bool is_device_block(const void* begin, size_t bytes);
bool is_start_of_device_block(const void* address);

// Reports every block that was written beyond its end or after it was freed. `culprit` is what ran
// last.
void check_red_zones(const std::string& culprit);

// Host memory that asynchronous copies access after the call has returned.
void* allocate_pinned(size_t bytes);
bool free_pinned(void* block);
bool is_pinned(const void* begin, size_t bytes);

struct MemoryUse {
  size_t used_bytes, total_bytes;
};
MemoryUse device_memory(int device);

}  // namespace cuda_emulation
