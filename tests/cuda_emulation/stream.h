// Streams are queues. When their work runs is an option (Streams in control.h). By default they are
// lazy: work runs only when its result is waited for, and no more of it than that needs.
#pragma once

#include <cuda_runtime_api.h>

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>

#include "tests/cuda_emulation/sanitizers.h"

// A stream. Its pieces of work are numbered from 1.
struct CUstream_st {
  struct Work {
    std::function<void()> run = nullptr;
    CUstream_st* awaited = nullptr;  // an event's stream, which comes first
    int64_t awaited_number = 0;      // up to this number
    // Tag for release_order: what the caller did before it queued the work.
    std::unique_ptr<char> order = std::make_unique<char>();
  };
  int device = 0;
  std::deque<Work> queue;
  int64_t queued = 0;    // number of the last work queued
  int64_t done = 0;      // number of the last work done
  bool running = false;  // a thread is running its next work
  char order = 0;        // tag: of the work done
  cuda_emulation::ActingThread thread{"CUDA stream"};
};

// An event: the position of its stream when it was last recorded.
struct CUevent_st {
  CUstream_st* stream = nullptr;  // null: never recorded
  int64_t number = 0;
  bool timed = true;
  // When the stream reached it. Shared with the work that sets it, which may outlive the event.
  std::shared_ptr<std::chrono::steady_clock::time_point> time;
};

namespace cuda_emulation {

// The stream of a handle; null stands for the device's default stream. That one is not ordered with
// the others: neither waits for the other.
CUstream_st& stream_of(cudaStream_t handle);

cudaStream_t create_stream(int device);
void destroy_stream(cudaStream_t stream);  // finishes its work first

void enqueue(CUstream_st& stream, std::function<void()> work);
void record(CUevent_st& event, CUstream_st& stream);
void enqueue_wait(CUstream_st& stream, const CUevent_st& event);

// Runs the stream's work up to this number, and what it waits for.
void run(CUstream_st& stream, int64_t number);

// The same, and orders the caller after that work: for a host that waits.
void finish(CUstream_st& stream, int64_t number);
void finish(CUstream_st& stream);
void finish_device(int device);

// The current device of the calling thread.
int current_device();
void set_current_device(int device);
inline constexpr int kDevices = 4;

}  // namespace cuda_emulation
