// Streams are lazy queues: work waits until somebody needs its result, and only as much runs as is
// needed. So everything that the program under test forgot to wait for has not happened yet.
#pragma once

#include <cuda_runtime_api.h>

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "tests/cuda_emulation/sanitizers.h"

// Work that a stream has finished, by number: the first is 1.
struct CUstream_st {
  struct Work {
    std::function<void()> run = nullptr;
    CUstream_st* awaited = nullptr;  // an event's stream, whose work up to here comes first
    int64_t awaited_number = 0;
    // Tag, for ThreadSanitizer: of what its asker did before.
    std::unique_ptr<char> order = std::make_unique<char>();
  };
  int device = 0;
  std::deque<Work> queue;
  int64_t queued = 0;  // number of the last work asked for
  int64_t done = 0;
  bool running = false;  // a thread is about its next work
  char order = 0;        // tag: of the work done
  cuda_emulation::ActingThread thread{"CUDA stream"};
};

// Where its stream stood when it was recorded last.
struct CUevent_st {
  CUstream_st* stream = nullptr;  // null: never recorded
  int64_t number = 0;
  bool timed = true;
  // When the stream came by. Shared with the work that notes it, which may outlive the event.
  std::shared_ptr<std::chrono::steady_clock::time_point> time;
};

namespace cuda_emulation {

// The stream behind a handle; null stands for the device's default stream. Not ordered with the
// others: work on the default stream waits for nobody and nobody for it.
CUstream_st& stream_of(cudaStream_t handle);

cudaStream_t create_stream(int device);
void destroy_stream(cudaStream_t stream);  // finishes its work first

void enqueue(CUstream_st& stream, std::function<void()> work);
void record(CUevent_st& event, CUstream_st& stream);
void enqueue_wait(CUstream_st& stream, const CUevent_st& event);

// Runs the stream's work up to the given one, and what that waits for.
void run(CUstream_st& stream, int64_t number);

// The same for a host that waits for it.
void finish(CUstream_st& stream, int64_t number);
void finish(CUstream_st& stream);
void finish_device(int device);

// The device that the calling thread works with.
int current_device();
void set_current_device(int device);
inline constexpr int kDevices = 2;

}  // namespace cuda_emulation
