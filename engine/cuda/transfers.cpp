#include "engine/transfers.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "engine/cuda/context.h"
#include "engine/cuda/event.h"
#include "engine/cuda/stream.h"

namespace engine {
namespace {

// Host memory that the device copies to and from by itself. Grows to the largest request.
class PinnedMemory {
 public:
  PinnedMemory() = default;
  ~PinnedMemory() {
    if (data_ != nullptr) cudaFreeHost(data_);
  }
  PinnedMemory(const PinnedMemory&) = delete;
  PinnedMemory& operator=(const PinnedMemory&) = delete;

  // Room for one tensor after the other, each at a multiple of 64 bytes. Nobody may be using the
  // memory.
  void fit(const std::vector<Tensor>& tensors) {
    int64_t bytes = 0;
    for (const Tensor& t : tensors) bytes += room_of(t);
    if (bytes <= bytes_) return;
    if (data_ != nullptr) check(cudaFreeHost(std::exchange(data_, nullptr)));
    bytes_ = 0;
    check(cudaHostAlloc(&data_, static_cast<size_t>(bytes), cudaHostAllocDefault));
    bytes_ = bytes;
  }

  // Calls f(tensor, its place).
  template <class Tensors, class F>
  void for_each(Tensors& tensors, F&& f) const {
    char* place = static_cast<char*>(data_);
    for (auto& t : tensors) {
      f(t, place);
      place += room_of(t);
    }
  }

 private:
  static int64_t room_of(const Tensor& t) { return (t.bytes() + 63) / 64 * 64; }

  void* data_ = nullptr;
  int64_t bytes_ = 0;
};

bool fits(const Tensor& there, const Tensor& t) {
  return there.shape() == t.shape() && there.dtype() == t.dtype() && there.layout() == t.layout();
}

size_t size_of_bytes(const Tensor& t) { return static_cast<size_t>(t.bytes()); }

}  // namespace

// Two slots in turn: one is read by the step that runs, the other is filled for the next.
class CudaUpload {
 public:
  explicit CudaUpload(Device device) : ctx_(cuda_context(device.index)) {}

  std::vector<Tensor> send(const std::vector<Tensor>& tensors) {
    Slot& slot = slots_[turn_];
    const Slot& other = slots_[1 - turn_];
    turn_ = 1 - turn_;
    slot.arrived.wait();  // its pinned memory is read no more; long past where steps take time
    slot.pinned.fit(tensors);
    slot.pinned.for_each(tensors, [](const Tensor& t, char* place) {
      std::memcpy(place, t.raw(), size_of_bytes(t));
    });

    // What the slot held was read by work queued before the other slot was called for; memory that
    // is new to the slot may be in use by anything queued so far, and is there from this place of
    // the compute stream on.
    const bool reused = std::ranges::equal(slot.tensors, tensors, fits);
    if (!reused) allocate(slot, tensors);
    slot.called.record(ctx_.stream());
    check(cudaStreamWaitEvent(copies_.get(), (reused ? other : slot).called.get(), 0));
    slot.pinned.for_each(slot.tensors, [&](Tensor& t, const char* place) {
      check(
          cudaMemcpyAsync(t.raw(), place, size_of_bytes(t), cudaMemcpyHostToDevice, copies_.get()));
    });
    slot.arrived.record(copies_.get());
    slot.arrived.hold_back(ctx_.stream());
    return slot.tensors;
  }

 private:
  struct Slot {
    std::vector<Tensor> tensors;  // on the device
    PinnedMemory pinned;
    Event called, arrived;
  };

  void allocate(Slot& slot, const std::vector<Tensor>& tensors) {
    slot.tensors.clear();
    for (const Tensor& t : tensors) {
      slot.tensors.emplace_back(t.shape(), t.dtype(), ctx_.device(), t.layout());
    }
  }

  CudaContext& ctx_;
  std::array<Slot, 2> slots_;
  size_t turn_ = 0;
  Stream copies_;  // dies first: it waits for the copies into the slots
};

class CudaReadback {
 public:
  explicit CudaReadback(Device device) : ctx_(cuda_context(device.index)) {}
  ~CudaReadback() { cudaEventSynchronize(arrived_.get()); }  // the pinned memory is written to

  void start(const std::vector<Tensor>& tensors) {
    arrived_.wait();
    pinned_.fit(tensors);
    host_.clear();
    for (const Tensor& t : tensors) host_.emplace_back(t.shape(), t.dtype(), kCpu, t.layout());
    pinned_.for_each(tensors, [&](const Tensor& t, char* place) {
      check(
          cudaMemcpyAsync(place, t.raw(), size_of_bytes(t), cudaMemcpyDeviceToHost, ctx_.stream()));
    });
    arrived_.record(ctx_.stream());
  }

  std::vector<Tensor> finish() {
    arrived_.wait();
    pinned_.for_each(
        host_, [](Tensor& t, const char* place) { std::memcpy(t.raw(), place, size_of_bytes(t)); });
    return std::move(host_);
  }

 private:
  CudaContext& ctx_;
  PinnedMemory pinned_;
  std::vector<Tensor> host_;
  Event arrived_;
};

std::shared_ptr<CudaUpload> make_cuda_upload(Device device) {
  return std::make_shared<CudaUpload>(device);
}

std::shared_ptr<CudaReadback> make_cuda_readback(Device device) {
  return std::make_shared<CudaReadback>(device);
}

std::vector<Tensor> send(CudaUpload& upload, const std::vector<Tensor>& tensors) {
  return upload.send(tensors);
}

void start(CudaReadback& readback, const std::vector<Tensor>& tensors) { readback.start(tensors); }

std::vector<Tensor> finish(CudaReadback& readback) { return readback.finish(); }

}  // namespace engine
