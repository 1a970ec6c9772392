// The functions of NCCL that the engine calls, between threads or processes of one machine.
//
// A collective runs when its stream reaches it, and a lazy stream moves only when its rank waits
// for it. So that a peer does not wait in vain for a rank that waits for nothing, a thread of the
// communicator advances the stream to the collective, as a device would.
#include <nccl.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <random>
#include <thread>

#include "tests/cuda_emulation/emulator.h"
#include "tests/cuda_emulation/memory.h"
#include "tests/cuda_emulation/nccl/collective.h"
#include "tests/cuda_emulation/nccl/rendezvous.h"
#include "tests/cuda_emulation/stream.h"

using namespace cuda_emulation;

struct ncclComm {
  ncclComm(std::string of_memory, int ranks, int rank)
      : name(std::move(of_memory)), rendezvous(name, ranks, rank), device(current_device()) {}

  std::string name;
  Rendezvous rendezvous;
  int device;
  int64_t splits = 0;
  int64_t asked = 0;  // number of the last collective queued
  std::atomic<int64_t> done = 0;
  struct Pending {
    CUstream_st* stream;
    int64_t number;  // of the stream's work
  };
  std::deque<Pending> pending;
  ncclResult_t error = ncclSuccess;
  std::atomic<bool> closing = false;
  std::thread server;
};

// An aborted communicator lives on until its streams have passed the collectives.
using SharedComm = std::shared_ptr<ncclComm>;

namespace {

constexpr std::chrono::microseconds kPause{200};

std::string name_of(const ncclUniqueId& id) { return "/" + std::string(id.internal); }

std::map<ncclComm_t, SharedComm>& comms() {
  static std::map<ncclComm_t, SharedComm>& comms = *new std::map<ncclComm_t, SharedComm>;
  return comms;
}

void serve(const SharedComm& comm) {
  while (!comm->closing) {
    if (comm->rendezvous.requested() > comm->done) {
      const std::lock_guard lock(emulator_lock());
      if (!comm->pending.empty()) {
        const ncclComm::Pending next = comm->pending.front();
        run(*next.stream, next.number);
      }
    }
    std::this_thread::sleep_for(kPause);
  }
}

// The stream's work: the collective itself.
void perform(const SharedComm& comm, const Collective& collective, const void* send,
             void* receive) {
  if (comm->closing) return;
  std::string wrong;
  {
    const LockGivenUp away(emulator_lock());
    wrong = comm->rendezvous.meet(collective);
  }
  if (wrong.empty() && !exchange_parts(comm->rendezvous, collective, send, receive)) {
    wrong = "a rank left in the middle of " + to_string(collective);
  }
  comm->pending.pop_front();
  ++comm->done;
  if (wrong.empty() || comm->closing) return;
  comm->error = ncclRemoteError;
  if (comm->rendezvous.aborted()) return;  // by a peer: no mistake of the program
  report("NCCL: ", wrong);
  comm->error = ncclInternalError;
}

ncclResult_t enqueue_collective(const char* function, ncclComm* comm, Collective collective,
                                const void* send, void* receive, cudaStream_t handle) {
  const Call call(function);
  if (!is_live(comm)) return ncclInvalidArgument;
  if (call.fails) return ncclSystemError;
  if (device_state() != cudaSuccess) return ncclUnhandledCudaError;
  const size_t element = bytes_of(static_cast<ncclDataType_t>(collective.type));
  if (element == 0 || collective.operation != ncclSum || collective.root < 0 ||
      collective.root >= comm->rendezvous.ranks()) {
    return ncclInvalidArgument;
  }
  const size_t bytes = static_cast<size_t>(collective.elements) * element;
  const int parts = collective.kind == Collective::Kind::all_gather ? comm->rendezvous.ranks() : 1;
  if (!is_device_block(send, bytes) ||
      !is_device_block(receive, bytes * static_cast<size_t>(parts))) {
    report(function, ": a buffer of ", bytes, " bytes is not within one device block");
    return ncclInvalidArgument;
  }
  CUstream_st& stream = stream_of(handle);
  if (stream.device != comm->device) {
    report(function, ": the stream belongs to device ", stream.device, ", the communicator to ",
           comm->device);
    return ncclInvalidArgument;
  }
  collective.number = ++comm->asked;
  comm->pending.push_back({&stream, stream.queued + 1});
  enqueue(stream, [=, held = comms().at(comm)] { perform(held, collective, send, receive); });
  return ncclSuccess;
}

// Every rank needs a device of its own. Names two ranks that share one; "" if none do.
std::string clash_of_devices(Rendezvous& rendezvous) {
  const int device = current_device();
  std::memcpy(rendezvous.slot(rendezvous.rank()), &device, sizeof device);
  if (!rendezvous.wait_for_all()) return "a rank has left";
  std::string clash;
  for (int rank = 0; rank < rendezvous.ranks(); ++rank) {
    int other = 0;
    std::memcpy(&other, rendezvous.slot(rank), sizeof other);
    if (rank != rendezvous.rank() && other == device) {
      clash = "ranks " + std::to_string(rendezvous.rank()) + " and " + std::to_string(rank) +
              " use the same device " + std::to_string(device);
    }
  }
  return rendezvous.wait_for_all() ? clash : "a rank has left";
}

// A new communicator of the ranks that call it with this name.
ncclResult_t join(const char* function, const std::string& name, int ranks, int rank,
                  ncclComm_t* handle) {
  auto comm = std::make_shared<ncclComm>(name, ranks, rank);
  std::string wrong;
  {
    const LockGivenUp away(emulator_lock());
    wrong = comm->rendezvous.meet({});
    if (wrong.empty()) wrong = clash_of_devices(comm->rendezvous);
  }
  if (!wrong.empty()) {
    report(function, ": ", wrong);
    return ncclInvalidUsage;
  }
  comm->server = std::thread(serve, comm);
  *handle = comm.get();
  comms()[*handle] = std::move(comm);
  add_live(*handle, "an NCCL communicator");
  return ncclSuccess;
}

}  // namespace

ncclResult_t ncclGetUniqueId(ncclUniqueId* id) {
  const Call call("ncclGetUniqueId");
  if (call.fails) return ncclSystemError;
  std::memset(id, 0, sizeof *id);
  if (const char* address = std::getenv("NCCL_COMM_ID")) {  // the same id for all that call this
    std::snprintf(id->internal, sizeof id->internal, "cuda_emulation_%s", address);
    return ncclSuccess;
  }
  std::random_device random;
  std::snprintf(id->internal, sizeof id->internal, "cuda_emulation_%08x%08x", random(), random());
  return ncclSuccess;
}

ncclResult_t ncclCommInitRank(ncclComm_t* handle, int ranks, ncclUniqueId id, int rank) {
  const Call call("ncclCommInitRank");
  if (call.fails) return ncclSystemError;
  if (ranks < 1 || ranks > Rendezvous::kMostRanks || rank < 0 || rank >= ranks) {
    return ncclInvalidArgument;
  }
  return join("ncclCommInitRank", name_of(id), ranks, rank, handle);
}

// All ranks keep their numbers.
ncclResult_t ncclCommSplit(ncclComm_t comm, int color, int key, ncclComm_t* handle, ncclConfig_t*) {
  const Call call("ncclCommSplit");
  if (call.fails) return ncclSystemError;
  if (!is_live(comm) || color != 0 || key != comm->rendezvous.rank()) return ncclInvalidArgument;
  const std::string name = comm->name + "_" + std::to_string(++comm->splits);
  return join("ncclCommSplit", name, comm->rendezvous.ranks(), key, handle);
}

ncclResult_t ncclCommDestroy(ncclComm_t comm) {
  const Call call("ncclCommDestroy");
  if (!is_live(comm)) return ncclInvalidArgument;
  while (!comm->pending.empty()) {
    const ncclComm::Pending next = comm->pending.front();
    run(*next.stream, next.number);
  }
  remove_live(comm);
  comm->closing = true;
  {
    const LockGivenUp away(emulator_lock());
    comm->server.join();
  }
  comms().erase(comm);
  return call.fails ? ncclInternalError : ncclSuccess;
}

// Collectives that have not begun are left out, and those that wait for peers end.
ncclResult_t ncclCommAbort(ncclComm_t comm) {
  const Call call("ncclCommAbort");
  if (!is_live(comm)) return ncclInvalidArgument;
  remove_live(comm);
  comm->closing = true;
  comm->rendezvous.abort();
  comm->server.detach();  // it may be waiting for another communicator that is aborted next
  comms().erase(comm);
  return call.fails ? ncclInternalError : ncclSuccess;
}

ncclResult_t ncclCommGetAsyncError(ncclComm_t comm, ncclResult_t* error) {
  const Call call("ncclCommGetAsyncError");
  if (call.fails || !is_live(comm)) return ncclInvalidArgument;
  *error = comm->error;
  return ncclSuccess;
}

ncclResult_t ncclAllReduce(const void* send, void* receive, size_t count, ncclDataType_t type,
                           ncclRedOp_t operation, ncclComm_t comm, cudaStream_t stream) {
  return enqueue_collective("ncclAllReduce", comm,
                            {.kind = Collective::Kind::all_reduce,
                             .elements = static_cast<int64_t>(count),
                             .type = type,
                             .operation = operation},
                            send, receive, stream);
}

ncclResult_t ncclBroadcast(const void* send, void* receive, size_t count, ncclDataType_t type,
                           int root, ncclComm_t comm, cudaStream_t stream) {
  return enqueue_collective("ncclBroadcast", comm,
                            {.kind = Collective::Kind::broadcast,
                             .elements = static_cast<int64_t>(count),
                             .type = type,
                             .root = root},
                            send, receive, stream);
}

ncclResult_t ncclAllGather(const void* send, void* receive, size_t count, ncclDataType_t type,
                           ncclComm_t comm, cudaStream_t stream) {
  return enqueue_collective(
      "ncclAllGather", comm,
      {.kind = Collective::Kind::all_gather, .elements = static_cast<int64_t>(count), .type = type},
      send, receive, stream);
}

const char* ncclGetErrorString(ncclResult_t result) {
  switch (result) {
    case ncclSuccess:
      return "no error";
    case ncclUnhandledCudaError:
      return "unhandled cuda error";
    case ncclSystemError:
      return "unhandled system error";
    case ncclInternalError:
      return "internal error";
    case ncclInvalidArgument:
      return "invalid argument";
    case ncclInvalidUsage:
      return "invalid usage";
    case ncclRemoteError:
      return "remote process exited or there was a network error";
    default:
      return "another NCCL error";
  }
}

const char* ncclGetLastError(ncclComm_t) { return ""; }
