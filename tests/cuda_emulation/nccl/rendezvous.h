// The meeting place of a communicator's ranks, which are threads or processes of one machine:
// shared memory with a lock, a condition variable and room for every rank's data.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

namespace cuda_emulation {

// A collective as a rank calls it. All ranks must call the same.
struct Collective {
  enum class Kind : int32_t { join, all_reduce, broadcast, all_gather };
  Kind kind = Kind::join;
  int64_t number = 0;  // of the rank's collectives, from 1
  int64_t elements = 0;
  int32_t type = 0;       // ncclDataType_t
  int32_t operation = 0;  // ncclRedOp_t; of all_reduce
  int32_t root = 0;       // of broadcast
  bool operator==(const Collective&) const = default;
};
std::string to_string(const Collective& collective);

class Rendezvous {
 public:
  static constexpr int kMostRanks = 8;
  static constexpr size_t kSlotBytes = size_t{256} << 10;

  // The first rank to come creates the shared memory of this name. The name is free again once all
  // have come.
  Rendezvous(const std::string& name, int ranks, int rank);
  ~Rendezvous();
  Rendezvous(const Rendezvous&) = delete;
  Rendezvous& operator=(const Rendezvous&) = delete;

  int ranks() const { return ranks_; }
  int rank() const { return rank_; }
  std::byte* slot(int rank) const;

  // Announces this rank's call and waits for the others. Returns "" if all have made the same call,
  // otherwise what is wrong; also if a rank does not come in time.
  std::string meet(const Collective& collective);
  // Waits for the other ranks; false if one does not come.
  bool wait_for_all();

  // Ends all waiting, now and from now on, on every rank.
  void abort();
  bool aborted() const;

  // The highest number of a collective that any rank has announced.
  int64_t requested() const;

 private:
  struct Shared;

  std::string name_;
  int ranks_, rank_;
  Shared* shared_;
};

// How long a rank waits for the others; longer than the slowest step of a test.
std::chrono::milliseconds& patience();

}  // namespace cuda_emulation
