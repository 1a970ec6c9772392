// Streams and events.
#include "tests/cuda_emulation/emulator.h"
#include "tests/cuda_emulation/runtime.h"
#include "tests/cuda_emulation/stream.h"

using namespace cuda_emulation;

namespace {

cudaError_t make_stream(cudaStream_t* stream) {
  *stream = create_stream(current_device());
  add_live(*stream, kStream);
  return cudaSuccess;
}

cudaError_t make_event(cudaEvent_t* event, unsigned flags) {
  *event = new CUevent_st;
  (*event)->timed = (flags & cudaEventDisableTiming) == 0;
  add_live(*event, "an event");
  return cudaSuccess;
}

bool is_stream(cudaStream_t stream) { return stream == nullptr || is_live(stream); }

bool has_happened(const CUevent_st& event) {
  return event.stream == nullptr || event.stream->done >= event.number;
}

}  // namespace

extern "C" {

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  const Call call("cudaStreamCreateWithFlags");
  return returned(call.fails ? cudaErrorMemoryAllocation : make_stream(stream));
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  const Call call("cudaStreamDestroy");
  if (stream == nullptr || !is_live(stream)) return returned(cudaErrorInvalidResourceHandle);
  remove_live(stream);
  destroy_stream(stream);
  return returned(call.fails ? cudaErrorLaunchFailure : cudaSuccess);
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  const Call call("cudaStreamSynchronize");
  if (!is_stream(stream)) return returned(cudaErrorInvalidResourceHandle);
  if (call.fails) return returned(cudaErrorLaunchFailure);
  finish(stream_of(stream));
  return returned(cudaSuccess);
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
  const Call call("cudaStreamWaitEvent");
  if (!is_stream(stream) || !is_live(event)) return returned(cudaErrorInvalidResourceHandle);
  if (call.fails) return returned(cudaErrorInvalidValue);
  enqueue_wait(stream_of(stream), *event);
  return returned(cudaSuccess);
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags) {
  const Call call("cudaEventCreateWithFlags");
  return returned(call.fails ? cudaErrorMemoryAllocation : make_event(event, flags));
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  const Call call("cudaEventDestroy");
  if (event == nullptr || !is_live(event)) return returned(cudaErrorInvalidResourceHandle);
  remove_live(event);
  delete event;
  return returned(call.fails ? cudaErrorLaunchFailure : cudaSuccess);
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  const Call call("cudaEventRecord");
  if (!is_stream(stream) || !is_live(event)) return returned(cudaErrorInvalidResourceHandle);
  if (call.fails) return returned(cudaErrorInvalidValue);
  record(*event, stream_of(stream));
  return returned(cudaSuccess);
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  const Call call("cudaEventSynchronize");
  if (!is_live(event)) return returned(cudaErrorInvalidResourceHandle);
  if (call.fails) return returned(cudaErrorLaunchFailure);
  if (event->stream != nullptr) finish(*event->stream, event->number);
  return returned(cudaSuccess);
}

cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t begin, cudaEvent_t end) {
  const Call call("cudaEventElapsedTime");
  if (!is_live(begin) || !is_live(end) || !begin->timed || !end->timed || !begin->stream ||
      !end->stream) {
    return returned(cudaErrorInvalidResourceHandle);
  }
  if (call.fails) return returned(cudaErrorInvalidValue);
  if (!has_happened(*begin) || !has_happened(*end)) return returned(cudaErrorNotReady);
  *milliseconds = std::chrono::duration<float, std::milli>(*end->time - *begin->time).count();
  return returned(cudaSuccess);
}

}  // extern "C"
