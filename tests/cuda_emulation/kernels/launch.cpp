// Kernel launches. The blocks of a grid run one after another.
#include <cxxabi.h>

#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <random>
#include <typeinfo>

#include "tests/cuda_emulation/control.h"
#include "tests/cuda_emulation/emulator.h"
#include "tests/cuda_emulation/kernels/block.h"
#include "tests/cuda_emulation/memory.h"
#include "tests/cuda_emulation/sanitizers.h"
#include "tests/cuda_emulation/stream.h"

// The range of all __shared__ variables, set by shared_memory.ld. Null if there are none.
extern "C" {
extern char cuda_shared_begin[] __attribute__((weak));
extern char cuda_shared_end[] __attribute__((weak));
uint3 blockIdx;
dim3 gridDim;
int warpSize = 32;
}

namespace cuda_emulation {
namespace {

constexpr size_t kSharedBytes = size_t{228} << 10;  // the most that a block can have

alignas(4096) unsigned char dynamic_shared[kSharedBytes];

size_t static_shared_bytes() { return static_cast<size_t>(cuda_shared_end - cuda_shared_begin); }

// Every block begins with new shared memory, which is NaN in every floating-point type.
void spoil_shared_memory(size_t dynamic_bytes) {
  renew_pages(dynamic_shared, kSharedBytes);
  if (cuda_shared_begin != nullptr) {
    renew_pages(cuda_shared_begin, static_shared_bytes());
    std::memset(cuda_shared_begin, 0xff, static_shared_bytes());
  }
  std::memset(dynamic_shared, 0xff, dynamic_bytes);
}

void run_grid(const std::function<void()>& kernel, const cudaLaunchConfig_t& config) {
  static std::mt19937_64 random(options().seed);
  const Order order = options().order;
  const dim3 grid = config.gridDim;
  gridDim = grid;
  const uint64_t blocks = uint64_t{grid.x} * grid.y * grid.z;
  const uint64_t first = order == Order::random ? random() % blocks : 0;
  for (uint64_t i = 0; i < blocks; ++i) {
    const uint64_t k = order == Order::reverse ? blocks - 1 - i : (first + i) % blocks;
    blockIdx = {static_cast<unsigned>(k % grid.x), static_cast<unsigned>(k / grid.x % grid.y),
                static_cast<unsigned>(k / grid.x / grid.y)};
    spoil_shared_memory(config.dynamicSmemBytes);
    if (!block().run(kernel, config.blockDim, order, random)) break;
  }
  block().join();
}

std::string demangled(const char* name) {
  const std::unique_ptr<char, void (*)(void*)> text(
      abi::__cxa_demangle(name, nullptr, nullptr, nullptr), std::free);
  return text == nullptr ? name : text.get();
}

bool is_valid(const cudaLaunchConfig_t& config) {
  const dim3 grid = config.gridDim, threads = config.blockDim;
  const uint64_t block = uint64_t{threads.x} * threads.y * threads.z;
  return grid.x >= 1 && grid.x <= 0x7fffffff && grid.y >= 1 && grid.y <= 65535 && grid.z >= 1 &&
         grid.z <= 65535 && block >= 1 && block <= 1024 && threads.z <= 64;
}

}  // namespace

void* dynamic_shared_memory() { return dynamic_shared; }

cudaError_t launch(const cudaLaunchConfig_t& config, const std::type_info& type,
                   std::function<void()> kernel) {
  const Call call("cudaLaunchKernelExC");
  if (call.fails) return cudaErrorLaunchOutOfResources;
  if (device_state() != cudaSuccess) return device_state();
  if (!is_valid(config)) return cudaErrorInvalidConfiguration;
  // More than 48 KiB would need cudaFuncSetAttribute first.
  if (config.dynamicSmemBytes > size_t{48} << 10) return cudaErrorInvalidValue;
  enqueue(stream_of(config.stream), [config, kernel, name = type.name()] {
    run_grid(kernel, config);
    check_red_zones("a kernel of type " + demangled(name));
  });
  return cudaSuccess;
}

}  // namespace cuda_emulation
