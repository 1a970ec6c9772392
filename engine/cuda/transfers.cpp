#include "engine/transfers.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "engine/arithmetic.h"
#include "engine/cuda/context.h"
#include "engine/cuda/event.h"
#include "engine/cuda/stream.h"

namespace engine {
namespace {

// Page-locked host memory, which the device copies to and from without the host's help. Grows to
// the largest request.
class PinnedMemory {
 public:
  PinnedMemory() = default;
  ~PinnedMemory() {
    if (data_ != nullptr) cudaFreeHost(data_);
  }
  PinnedMemory(const PinnedMemory&) = delete;
  PinnedMemory& operator=(const PinnedMemory&) = delete;

  // Makes room for all tensors, each at a multiple of 64 bytes. The memory must not be in use.
  void fit(const std::vector<Tensor>& tensors) {
    int64_t bytes = 0;
    for (const Tensor& t : tensors) bytes += round_up(t.bytes(), kAlignment);
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
      place += round_up(t.bytes(), kAlignment);
    }
  }

 private:
  static constexpr int64_t kAlignment = 64;

  void* data_ = nullptr;
  int64_t bytes_ = 0;
};

bool alike(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && a.dtype() == b.dtype() && a.layout() == b.layout();
}

size_t size_of_bytes(const Tensor& t) { return static_cast<size_t>(t.bytes()); }

// Two slots in turn: the current step reads one while the other is filled for the next step.
class CudaUpload : public Upload {
 public:
  explicit CudaUpload(int index) : ctx_(cuda_context(index)) {}

  std::vector<Tensor> send(const std::vector<Tensor>& tensors) override {
    Slot& slot = slots_[turn_];
    Slot& other = slots_[1 - turn_];
    turn_ = 1 - turn_;
    slot.arrived.wait();  // until its pinned memory is free again, as it usually is by now
    slot.pinned.fit(tensors);
    slot.pinned.for_each(tensors, [](const Tensor& t, char* place) {
      std::memcpy(place, t.raw(), size_of_bytes(t));
    });

    // The slot's old tensors are read only by work queued before the other slot was filled, so the
    // copy waits for that point of the compute stream. Newly allocated memory may still be used by
    // anything queued so far, so then the copy waits for this point.
    const bool reused = std::ranges::equal(slot.tensors, tensors, alike);
    if (!reused) allocate(slot, tensors);
    slot.requested.record(ctx_.stream());
    (reused ? other : slot).requested.hold_back(copies_.get());
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
    Event requested, arrived;
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
  Stream copies_;  // destroyed first, which waits for the copies into the slots
};

class CudaReadback : public Readback {
 public:
  explicit CudaReadback(int index) : ctx_(cuda_context(index)) {}
  // Waits, because the device may still be writing to the pinned memory.
  ~CudaReadback() override { cudaEventSynchronize(arrived_.get()); }

  void start(const std::vector<Tensor>& tensors) override {
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

  std::vector<Tensor> finish() override {
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

}  // namespace

std::unique_ptr<Upload> make_cuda_upload(int index) { return std::make_unique<CudaUpload>(index); }

std::unique_ptr<Readback> make_cuda_readback(int index) {
  return std::make_unique<CudaReadback>(index);
}

}  // namespace engine
