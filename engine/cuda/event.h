// A point in the work of a stream.
#pragma once

#include "engine/cuda/check.h"

namespace engine {

class Event {
 public:
  explicit Event(unsigned flags = cudaEventDisableTiming) {
    check(cudaEventCreateWithFlags(&event_, flags));
  }
  ~Event() { cudaEventDestroy(event_); }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  cudaEvent_t get() const { return event_; }
  void record(cudaStream_t stream) { check(cudaEventRecord(event_, stream)); }
  // Seconds from the earlier event to this one. Both have been made with cudaEventDefault, and this
  // one's point has been reached.
  double seconds_since(const Event& earlier) const {
    float milliseconds = 0.0f;
    check(cudaEventElapsedTime(&milliseconds, earlier.event_, event_));
    return 1e-3 * static_cast<double>(milliseconds);
  }
  // The host waits for the point that was recorded last. It does not wait if there is none.
  void wait() { check(cudaEventSynchronize(event_)); }
  // Work that is queued on the stream from now on waits for that point.
  void hold_back(cudaStream_t stream) { check(cudaStreamWaitEvent(stream, event_, 0)); }

 private:
  cudaEvent_t event_ = nullptr;
};

}  // namespace engine
