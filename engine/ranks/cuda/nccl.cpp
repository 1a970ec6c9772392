#include <nccl.h>

#include <vector>

#include "engine/cuda/context.h"
#include "engine/cuda/event.h"
#include "engine/cuda/stream.h"
#include "engine/ranks/communicator.h"
#include "engine/tensor_ops.h"

namespace engine {
namespace {

void check(ncclResult_t status,
           const std::source_location& where = std::source_location::current()) {
  if (status == ncclSuccess) return;
  // If NCCL knows more (which interface, which rank), its last error says so.
  const char* details = ncclGetLastError(nullptr);
  std::string what = ncclGetErrorString(status);
  if (details != nullptr && *details != '\0') what += std::string(": ") + details;
  fail_at(where, "NCCL", what);
}
using engine::check;

ncclDataType_t nccl_type(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return ncclFloat32;
    case DType::f64:
      return ncclFloat64;
    case DType::i64:
      return ncclInt64;
    case DType::u8:
      return ncclUint8;
    case DType::bf16:
      return ncclBfloat16;
    case DType::f16:
      return ncclFloat16;
  }
  fail("nccl: unknown dtype");
}

size_t count_of(const Tensor& t) { return static_cast<size_t>(t.elements()); }

class NcclCommunicator : public Communicator {
 public:
  NcclCommunicator(Device device, int rank, int size, const ShareBytes& share)
      : ctx_(cuda_context(device.index)), rank_(rank), size_(size) {
    require(rank >= 0 && rank < size, "nccl: expected a rank in 0..", size - 1, ", found ", rank);
    ncclUniqueId id{};
    if (rank == 0) check(ncclGetUniqueId(&id));
    share(std::as_writable_bytes(std::span(&id, 1)));
    check(ncclCommInitRank(&comm_, size, id, rank));
  }

  ~NcclCommunicator() override {
    cudaStreamSynchronize(stream_.get());  // collectives under way still use their tensors
    ncclCommDestroy(comm_);
  }

  int rank() const override { return rank_; }
  int size() const override { return size_; }

  void start_all_reduce(const Tensor& tensor) override {
    Tensor& t = started_.emplace_back(tensor);
    begin();
    void* data = t.raw();
    check(ncclAllReduce(data, data, count_of(t), nccl_type(t.dtype()), ncclSum, comm_,
                        stream_.get()));
  }

  void finish() override {
    end();
    started_.clear();
  }

  void broadcast(Tensor& tensor, int root) override {
    begin();
    void* data = tensor.raw();
    check(ncclBroadcast(data, data, count_of(tensor), nccl_type(tensor.dtype()), root, comm_,
                        stream_.get()));
    end();
  }

  void all_gather(const Tensor& part, Tensor& whole) override {
    require(whole.elements() == size_ * part.elements() && whole.dtype() == part.dtype(),
            "all_gather: ", size_, " times ", part, " does not fill ", whole);
    begin();
    check(ncclAllGather(part.raw(), whole.raw(), count_of(part), nccl_type(part.dtype()), comm_,
                        stream_.get()));
    end();
  }

  void barrier() override {
    all_reduce(zeros({1}, DType::f32, ctx_.device()));
    check(cudaStreamSynchronize(ctx_.stream()));
    check_health();
  }

 private:
  // Collectives run on their own stream, after the work queued on the compute stream so far.
  void begin() {
    queued_.record(ctx_.stream());
    queued_.hold_back(stream_.get());
  }

  // Work queued on the compute stream from now on waits for the collectives.
  void end() {
    check_health();
    done_.record(stream_.get());
    done_.hold_back(ctx_.stream());
  }

  // Throws for a failure since the last call, for example if a rank has died.
  void check_health() {
    ncclResult_t status = ncclSuccess;
    check(ncclCommGetAsyncError(comm_, &status));
    check(status);
  }

  CudaContext& ctx_;
  const int rank_, size_;
  ncclComm_t comm_ = nullptr;
  Stream stream_;
  Event queued_, done_;
  std::vector<Tensor> started_;  // kept alive until finish()
};

}  // namespace

std::unique_ptr<Communicator> make_nccl_communicator(Device device, int rank, int size,
                                                     const ShareBytes& share) {
  return std::make_unique<NcclCommunicator>(device, rank, size, share);
}

}  // namespace engine
