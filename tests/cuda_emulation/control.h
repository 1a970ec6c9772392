// What tests tell the emulation of CUDA and ask it. The environment sets the same for a whole
// program: CUDA_EMULATION_ORDER=forward|reverse|random, CUDA_EMULATION_SEED=1,
// CUDA_EMULATION_STREAMS=lazy|eager, and CUDA_EMULATION_LEAKS=fail makes a program fail that ends
// with something not freed. One that ends with findings not taken fails always.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace cuda_emulation {

// In which order the blocks of a kernel and the threads of a block run between two barriers.
enum class Order : uint8_t { forward, reverse, random };

struct Options {
  Order order = Order::forward;
  uint64_t seed = 1;           // of the random order
  bool eager_streams = false;  // work runs as it is queued, not when somebody waits for it
};
Options& options();

// The errors found in the program under test since the last call. A found error also fails the next
// calls of the runtime, until it has been taken here.
std::vector<std::string> take_findings();

// Makes the nth call (from 1, counted from now) of the named function fail, or of any function
// where the name is empty. What frees something frees it all the same. A later call replaces it.
void fail_call(const std::string& function, int64_t nth);
void fail_no_call();
bool failure_happened();  // since fail_call

// How often the function (any, where empty) was called since the program began.
int64_t call_count(const std::string& function = "");

// How much memory each device has; more than a machine has, unless told otherwise.
inline constexpr size_t kDeviceBytes = size_t{64} << 30;
void limit_device_memory(size_t bytes);

// Everything the program has created and not yet freed, sorted, one line each.
std::vector<std::string> live_objects();

}  // namespace cuda_emulation
