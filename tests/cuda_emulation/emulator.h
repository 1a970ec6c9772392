// Shared by all parts of the emulation: the lock, the findings, the counts of calls, the live
// objects.
#pragma once

#include <cuda_runtime_api.h>

#include <mutex>
#include <sstream>
#include <string>

#include "tests/cuda_emulation/lock.h"

namespace cuda_emulation {

// Held by every emulated function from its first to its last line.
Lock& emulator_lock();

// Counts a call and says whether it is the one that must fail (see fail_call).
bool count_call(const char* function);

void add_finding(const std::string& text);

// Records an error of the program under test. From then on the runtime returns errors, as a device
// does after an illegal access.
template <class... Parts>
void report(const Parts&... parts) {
  std::ostringstream text;
  (text << ... << parts);
  add_finding(text.str());
}

// cudaSuccess, or what every call returns after a report.
cudaError_t device_state();

// The lines of live_objects().
inline constexpr const char* kStream = "a stream";
void add_live(const void* object, const std::string& what);
void remove_live(const void* object);
bool is_live(const void* object);

// Begins an emulated function: takes the lock, counts the call.
//   const Call call("cudaMalloc");
//   if (call.fails) return cudaErrorMemoryAllocation;
struct Call {
  explicit Call(const char* function) : lock(emulator_lock()), fails(count_call(function)) {}
  std::lock_guard<Lock> lock;
  bool fails;
};

}  // namespace cuda_emulation
