// Runs the threads of one block as fibers.
#pragma once

#include <cuda_runtime_api.h>

#include <functional>
#include <memory>
#include <random>
#include <vector>

#include "tests/cuda_emulation/control.h"
#include "tests/cuda_emulation/kernels/fiber.h"

namespace cuda_emulation {

// A set of lanes of a warp that meet in a shuffle, a vote or __syncwarp.
struct Meeting {
  unsigned mask = 0;     // the lanes that must arrive; 0: the meeting is free
  unsigned arrived = 0;  // the lanes that have arrived
  bool is_vote = false;
  int line = 0;
  uint64_t value[32];
  int source_lane[32];
};

struct Warp {
  unsigned alive = 0;  // one bit per lane that has not returned
  Meeting meetings[4];
  char order = 0;  // its address is the tag of __syncwarp
};

struct CudaThread {
  enum class State : uint8_t { unstarted, ready, at_barrier, in_meeting, returned };
  uint3 index;
  State state = State::unstarted;
  Fiber* fiber = nullptr;
  int line = 0;         // the source line at which it waits
  uint64_t result = 0;  // of its last meeting
};

class Block {
 public:
  // False if the threads got stuck or disagreed, which has been reported.
  bool run(const std::function<void()>& kernel, dim3 threads, Order order, std::mt19937_64& random);

  // Orders the caller after everything that blocks have done since its last call.
  void join();

  // Called by the running CUDA thread; see device_language.h.
  void wait_at_barrier(int line);
  uint64_t meet(unsigned mask, uint64_t value, int source_lane, bool is_vote, int line);
  void meet_in_order(unsigned mask, int line);  // __syncwarp: writes made before are visible after

 private:
  static void run_kernel();  // the entry of every fiber
  void start(dim3 threads);
  bool run_each_once(const std::vector<size_t>& order);
  void step(CudaThread& thread);
  void thread_returned();
  void open_barrier();
  void end_meeting(size_t warp, Meeting& meeting);
  Meeting* find_meeting(Warp& warp, unsigned mask, bool is_vote, int line);
  void complain(const std::string& text);
  void report_stuck();

  const std::function<void()>* kernel_ = nullptr;
  std::vector<CudaThread> threads_;
  std::vector<Warp> warps_;
  CudaThread* running_ = nullptr;
  size_t alive_ = 0;
  size_t at_barrier_ = 0;
  int barrier_line_ = 0;
  char barrier_order_ = 0;  // tags for release_order: of __syncthreads
  char end_order_ = 0;      // and of the end of the kernel
  bool correct_ = true;
  std::vector<std::unique_ptr<Fiber>> fibers_;
  std::vector<Fiber*> idle_;  // those without a CUDA thread
};

// The block whose threads are running.
Block& block();

}  // namespace cuda_emulation
