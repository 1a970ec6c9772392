// Collectives between the ranks of a run. A rank is a process or a thread that drives one device.
//
// A communicator has lanes. Within a lane every rank calls the same collectives in the same order,
// with tensors of the same shape and type, from one thread at a time. Lanes do not wait for each
// other, so that work which runs concurrently (two forward passes, a backward pass and the
// reduction of its gradients) uses a lane each. That is the whole ordering rule.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "engine/tensor.h"

namespace engine {

// A sum that a lane has started.
struct Ticket {
  int64_t number = 0;  // of the lane's sums, from 1
};

// What a lane has carried, as this rank has seen it. Collectives of several lanes overlap.
struct Traffic {
  int64_t messages = 0;    // collectives
  int64_t bytes = 0;       // of the tensors that this rank has given to them
  double under_way = 0.0;  // seconds in which at least one of them was under way
  double waited = 0.0;     // seconds in which this rank's work stood still for one of them
};

class Communicator {
 public:
  // Calls abort() unless finish() has been called. It never waits for another rank.
  virtual ~Communicator() = default;
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;

  int rank() const { return rank_; }
  int size() const { return size_; }
  // Lane 0 is the communicator itself; it owns the others, which have no lanes of their own.
  Communicator& lane(int index);

  // Starts to replace every rank's tensor by the sum over all ranks, the same bits on each. The sum
  // runs concurrently with the device's other work. Until it is joined the tensor may not be
  // touched; it is kept alive.
  virtual Ticket start_all_reduce(const Tensor& tensor) = 0;
  // Work that is queued on the device from now on sees this sum and those that the lane started
  // before it. Sums that the lane started later go on.
  virtual void join(Ticket ticket) = 0;

  // The following run in order with the device's other work.
  void all_reduce(const Tensor& tensor) { join(start_all_reduce(tensor)); }
  // Replaces every rank's tensor by the root's.
  virtual void broadcast(Tensor& tensor, int root) = 0;
  // whole: [size, ...part]: the parts of all ranks in rank order.
  virtual void all_gather(const Tensor& part, Tensor& whole) = 0;
  // Blocks until every rank has called it and all work that the ranks queued before is done.
  virtual void barrier() = 0;

  // Counts and times the lane's collectives anew. On a GPU times are 0 before the first call.
  virtual void measure_traffic() { traffic_ = {}; }
  // What the lane has carried since. Every sum must have been joined. Waits until all is done.
  virtual Traffic traffic() { return traffic_; }

  // Throws if a collective of this lane has failed or abort() has been called. Never waits. Who has
  // waited for a result on the host calls it before trusting that.
  virtual void check_health() = 0;
  // The last call of a run that ends well, on lane 0: waits until every rank has called it.
  virtual void finish() = 0;
  // Ends all lanes at once, for a rank that cannot go on. Any thread may call it. Collectives under
  // way end with undefined results, and later calls throw. It never waits for another rank. Ranks
  // that are threads of one process stay blocked until their own communicator is aborted as well.
  virtual void abort() noexcept = 0;

 protected:
  Communicator(int rank, int size);
  void add_lane(std::unique_ptr<Communicator> lane) { others_.push_back(std::move(lane)); }
  // Throws unless `whole` is as many times `part` as there are ranks.
  void require_gathers(const Tensor& part, const Tensor& whole) const;

  void count_message(int64_t bytes) { ++traffic_.messages, traffic_.bytes += bytes; }
  void count_times(double under_way, double waited) {
    traffic_.under_way += under_way, traffic_.waited += waited;
  }

 private:
  Traffic traffic_;
  const int rank_, size_;
  std::vector<std::unique_ptr<Communicator>> others_;
};

// Gives every rank the bytes of rank 0, through whatever started the ranks.
using ShareBytes = std::function<void(std::span<std::byte> bytes)>;
// Through a communicator that takes tensors on the CPU; it must outlive the function.
ShareBytes share_through(Communicator& ranks);

// NCCL between CUDA devices, one device per rank. Blocks until all `size` ranks have called it.
// They meet through `share` or, if it is empty, at HOST:PORT, as the environment variable
// NCCL_COMM_ID says: HOST is that of rank 0, and each rank needs a network interface in the same
// subnet. A collective that fails throws, at the latest in join() or barrier(). NCCL does not
// always notice that a rank has died: whoever started the ranks then calls abort() on those that
// are left.
std::unique_ptr<Communicator> make_nccl_communicator(Device device, int rank, int size, int lanes,
                                                     const ShareBytes& share);

}  // namespace engine
