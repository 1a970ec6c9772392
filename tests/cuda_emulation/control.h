// How tests control the emulation of CUDA and query it. The environment sets the options of a whole
// program: CUDA_EMULATION_ORDER=forward|reverse|random, CUDA_EMULATION_SEED=1,
// CUDA_EMULATION_STREAMS=lazy|eager|racing. With CUDA_EMULATION_LEAKS=fail, a program that has not
// freed everything at its end fails. One that ends with findings not taken always fails.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace cuda_emulation {

// The order in which the blocks of a kernel run, and the threads of a block between two barriers.
enum class Order : uint8_t { forward, reverse, random };

// When the work of a stream runs.
//   lazy: when it is waited for. What the program forgot to wait for has not happened yet.
//   eager: when it is queued, with all that it waits for.
//   racing: on the oldest stream of a device when it is waited for; on the other streams as soon as
//   the events that they wait for have been reached. So if a copy waits for too little, it
//   overwrites what a kernel on the oldest stream, the compute stream, has still to read.
enum class Streams : uint8_t { lazy, eager, racing };

struct Options {
  Order order = Order::forward;
  uint64_t seed = 1;  // of the random order
  Streams streams = Streams::lazy;
};
Options& options();

// Returns the errors found in the program under test since the last call. Until they are taken
// here, all calls of the runtime fail.
std::vector<std::string> take_findings();

// Makes the nth call from now (the next is 1) of the named function fail, or of any function if the
// name is empty. A function that frees something frees it even if it fails. Replaces an earlier
// request.
void fail_call(const std::string& function, int64_t nth);
void fail_no_call();
bool failure_happened();  // since fail_call

// How often the function, or any if the name is empty, has been called since the program began.
int64_t call_count(const std::string& function = "");

// The memory that each device seems to have. The default is more than tests need.
inline constexpr size_t kDeviceBytes = size_t{64} << 30;
void limit_device_memory(size_t bytes);

// Everything that the program has created and not freed: one line per object, sorted.
std::vector<std::string> live_objects();

}  // namespace cuda_emulation
