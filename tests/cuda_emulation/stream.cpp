#include "tests/cuda_emulation/stream.h"

#include <algorithm>
#include <map>
#include <vector>

#include "tests/cuda_emulation/control.h"
#include "tests/cuda_emulation/emulator.h"
#include "tests/cuda_emulation/memory.h"

namespace cuda_emulation {
namespace {

thread_local int device_of_thread = 0;

struct Streams {
  std::vector<CUstream_st*> created;
  std::vector<CUstream_st*> destroyed;    // events may still refer to them
  std::map<int, CUstream_st> by_default;  // of each device
};

// Never destroyed: destructors of static objects may use streams.
Streams& streams() {
  static Streams& streams = *new Streams;
  return streams;
}

void run_front(CUstream_st& stream) {
  stream.running = true;
  CUstream_st::Work work = std::move(stream.queue.front());
  stream.queue.pop_front();
  if (work.awaited != nullptr) run(*work.awaited, work.awaited_number);
  void* const host = stream.thread.enter_unseen();
  acquire_order(work.order.get());
  if (work.awaited != nullptr) acquire_order(&work.awaited->order);
  if (work.run) work.run();
  work.run = nullptr;  // what the work holds is freed by the stream, too
  release_order(&stream.order);
  ActingThread::enter_again_from_unseen(host);
  ++stream.done;
  stream.running = false;
}

void enqueue(CUstream_st& stream, CUstream_st::Work work) {
  release_order(work.order.get());
  stream.queue.push_back(std::move(work));
  ++stream.queued;
  if (options().eager_streams) run(stream, stream.queued);
}

}  // namespace

int current_device() { return device_of_thread; }
void set_current_device(int device) { device_of_thread = device; }

CUstream_st& stream_of(cudaStream_t handle) {
  if (handle != nullptr && handle != cudaStreamLegacy && handle != cudaStreamPerThread) {
    return *handle;
  }
  CUstream_st& stream = streams().by_default[current_device()];
  stream.device = current_device();
  return stream;
}

cudaStream_t create_stream(int device) {
  auto* stream = new CUstream_st;
  stream->device = device;
  streams().created.push_back(stream);
  return stream;
}

void destroy_stream(cudaStream_t stream) {
  finish(*stream);
  std::erase(streams().created, stream);
  streams().destroyed.push_back(stream);
}

void enqueue(CUstream_st& stream, std::function<void()> work) {
  enqueue(stream, CUstream_st::Work{.run = std::move(work)});
}

void record(CUevent_st& event, CUstream_st& stream) {
  event.time = std::make_shared<std::chrono::steady_clock::time_point>();
  enqueue(stream, [time = event.time] { *time = std::chrono::steady_clock::now(); });
  event.stream = &stream;
  event.number = stream.queued;
}

void enqueue_wait(CUstream_st& stream, const CUevent_st& event) {
  if (event.stream == nullptr) return;  // never recorded: nothing to wait for
  enqueue(stream, CUstream_st::Work{.awaited = event.stream, .awaited_number = event.number});
}

void run(CUstream_st& stream, int64_t number) {
  number = std::min(number, stream.queued);
  if (stream.done >= number) return;
  const DeviceAccess access;
  while (stream.done < number) {
    // A collective releases the lock while it waits for the other ranks.
    stream.running ? emulator_lock().wait() : run_front(stream);
  }
}

void finish(CUstream_st& stream, int64_t number) {
  run(stream, number);
  acquire_order(&stream.order);
}

void finish(CUstream_st& stream) { finish(stream, stream.queued); }

void finish_device(int device) {
  finish(streams().by_default[device]);
  const std::vector<CUstream_st*> created = streams().created;  // may change in between
  for (CUstream_st* stream : created) {
    if (stream->device == device) finish(*stream);
  }
}

}  // namespace cuda_emulation
