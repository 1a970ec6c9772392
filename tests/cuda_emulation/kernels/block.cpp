#include "tests/cuda_emulation/kernels/block.h"

#include <algorithm>
#include <numeric>

#include "tests/cuda_emulation/emulator.h"

// Declared as constants by the CUDA headers; set on every switch to a CUDA thread.
extern "C" {
uint3 threadIdx;
dim3 blockDim;
}

namespace cuda_emulation {

using State = CudaThread::State;

Block& block() {
  static Block& block = *new Block;
  return block;
}

bool Block::run(const std::function<void()>& kernel, dim3 threads, Order order,
                std::mt19937_64& random) {
  kernel_ = &kernel;
  start(threads);
  std::vector<size_t> sequence(threads_.size());
  std::iota(sequence.begin(), sequence.end(), 0);
  if (order == Order::reverse) std::reverse(sequence.begin(), sequence.end());
  while (alive_ > 0) {
    if (order == Order::random) std::shuffle(sequence.begin(), sequence.end(), random);
    if (run_each_once(sequence)) continue;
    report_stuck();
    return false;
  }
  if (kThreadSanitizer) fibers_.clear();
  return correct_;
}

void Block::join() { acquire_order(&end_order_); }

void Block::start(dim3 threads) {
  blockDim = threads;
  const size_t count = size_t{threads.x} * threads.y * threads.z;
  threads_.assign(count, {});
  warps_.assign((count + 31) / 32, {});
  for (size_t i = 0; i < count; ++i) {
    const unsigned linear = static_cast<unsigned>(i);
    threads_[i].index = {linear % threads.x, linear / threads.x % threads.y,
                         linear / threads.x / threads.y};
    warps_[i / 32].alive |= 1u << i % 32;
  }
  alive_ = count;
  at_barrier_ = 0;
  correct_ = true;
}

// False if no thread could run.
bool Block::run_each_once(const std::vector<size_t>& order) {
  bool anybody = false;
  for (const size_t i : order) {
    CudaThread& thread = threads_[i];
    if (thread.state != State::unstarted && thread.state != State::ready) continue;
    step(thread);
    anybody = true;
  }
  return anybody;
}

void Block::step(CudaThread& thread) {
  if (thread.fiber == nullptr) {
    if (idle_.empty()) {
      fibers_.push_back(std::make_unique<Fiber>(&Block::run_kernel));
      idle_.push_back(fibers_.back().get());
    }
    thread.fiber = idle_.back();
    idle_.pop_back();
  }
  running_ = &thread;
  threadIdx = thread.index;
  thread.fiber->resume();
}

void Block::run_kernel() {
  Block& self = block();
  for (;;) {
    (*self.kernel_)();
    self.thread_returned();
    Fiber::suspend();
  }
}

void Block::thread_returned() {
  const size_t index = static_cast<size_t>(running_ - threads_.data());
  running_->state = State::returned;
  // ThreadSanitizer tells CUDA threads apart by their fibers, so there each gets a fiber of its
  // own.
  if (!kThreadSanitizer) idle_.push_back(running_->fiber);
  release_order(&end_order_);
  --alive_;
  Warp& warp = warps_[index / 32];
  warp.alive &= ~(1u << index % 32);
  for (Meeting& meeting : warp.meetings) end_meeting(index / 32, meeting);
  open_barrier();
}

void Block::wait_at_barrier(int line) {
  if (at_barrier_ == 0) barrier_line_ = line;
  if (barrier_line_ != line) {
    complain("__syncthreads of one block at lines " + std::to_string(barrier_line_) + " and " +
             std::to_string(line) + ": all threads must reach the same one");
  }
  running_->state = State::at_barrier;
  running_->line = line;
  ++at_barrier_;
  open_barrier();
  release_order(&barrier_order_);
  Fiber::suspend();
  acquire_order(&barrier_order_);
}

// Lets the threads go once all that have not returned are waiting.
void Block::open_barrier() {
  if (at_barrier_ == 0 || at_barrier_ < alive_) return;
  at_barrier_ = 0;
  for (CudaThread& thread : threads_) {
    if (thread.state == State::at_barrier) thread.state = State::ready;
  }
}

uint64_t Block::meet(unsigned mask, uint64_t value, int source_lane, bool is_vote, int line) {
  CudaThread& self = *running_;
  const size_t index = static_cast<size_t>(&self - threads_.data()), lane = index % 32;
  if (!(mask >> lane & 1)) {
    complain("warp primitive at line " + std::to_string(line) + ": lane " + std::to_string(lane) +
             " calls it but is not in its mask");
    return value;
  }
  Meeting* meeting = find_meeting(warps_[index / 32], mask, is_vote, line);
  if (meeting == nullptr) {
    complain("warp primitive at line " + std::to_string(line) +
             ": the lanes of one warp wait with more than 4 different masks");
    return value;
  }
  meeting->value[lane] = value;
  meeting->source_lane[lane] = source_lane;
  meeting->arrived |= 1u << lane;
  self.state = State::in_meeting;
  self.line = line;
  end_meeting(index / 32, *meeting);
  Fiber::suspend();
  return self.result;
}

void Block::meet_in_order(unsigned mask, int line) {
  Warp& warp = warps_[static_cast<size_t>(running_ - threads_.data()) / 32];
  release_order(&warp.order);
  meet(mask, 0, 0, true, line);
  acquire_order(&warp.order);
}

// The meeting of this mask, else a free one, else null.
Meeting* Block::find_meeting(Warp& warp, unsigned mask, bool is_vote, int line) {
  for (Meeting& meeting : warp.meetings) {
    if (meeting.mask != mask) continue;
    if (meeting.line != line || meeting.is_vote != is_vote) {
      complain("warp primitives of one warp at lines " + std::to_string(meeting.line) + " and " +
               std::to_string(line) + ": all lanes of the mask must reach the same one");
    }
    return &meeting;
  }
  for (Meeting& meeting : warp.meetings) {
    if (meeting.mask != 0) continue;
    meeting.mask = mask;
    meeting.is_vote = is_vote;
    meeting.line = line;
    return &meeting;
  }
  return nullptr;
}

// Lets the lanes go once all of the mask that have not returned have arrived.
void Block::end_meeting(size_t warp, Meeting& meeting) {
  constexpr uint64_t kAbsent = 0x7fc0dead7fc0dead;  // NaN as one double and as two floats
  const unsigned awaited = meeting.mask & warps_[warp].alive;
  if (meeting.arrived == 0 || (meeting.arrived & awaited) != awaited) return;
  uint64_t votes = 0;
  for (size_t lane = 0; lane < 32; ++lane) {
    if (meeting.arrived >> lane & 1) votes |= (meeting.value[lane] & 1) << lane;
  }
  for (size_t lane = 0; lane < 32; ++lane) {
    if (!(meeting.arrived >> lane & 1)) continue;
    const int source = meeting.source_lane[lane];
    CudaThread& thread = threads_[warp * 32 + lane];
    thread.state = State::ready;
    thread.result = meeting.is_vote                 ? votes
                    : meeting.arrived >> source & 1 ? meeting.value[source]
                                                    : kAbsent;
  }
  meeting.mask = meeting.arrived = 0;
}

// Reports only the first error of a block.
void Block::complain(const std::string& text) {
  if (correct_) report(text);
  correct_ = false;
}

void Block::report_stuck() {
  int barrier = 0, warp = 0;
  for (const CudaThread& thread : threads_) {
    if (thread.state == State::at_barrier) barrier = thread.line;
    if (thread.state == State::in_meeting) warp = thread.line;
  }
  complain("the threads of a block wait for each other forever, at __syncthreads (line " +
           std::to_string(barrier) + ") and in a warp primitive (line " + std::to_string(warp) +
           "); line 0: no thread waits there");
  // Their stacks stand in the middle of the kernel and cannot be used again.
  idle_.clear();
  fibers_.clear();
}

void barrier(int line) { block().wait_at_barrier(line); }

uint64_t exchange(unsigned mask, uint64_t value, int source_lane, int line) {
  return block().meet(mask, value, source_lane, false, line);
}

void warp_barrier(unsigned mask, int line) { block().meet_in_order(mask, line); }

unsigned ballot(unsigned mask, bool predicate, int line) {
  return static_cast<unsigned>(block().meet(mask, predicate, 0, true, line));
}

}  // namespace cuda_emulation
