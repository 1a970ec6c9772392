// Where the ranks of a communicator meet, threads and processes of one machine alike: a piece of
// shared memory with a lock, a bell and room for every rank's data.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

namespace cuda_emulation {

// What a rank asks its peers for. They all have to ask for the same.
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

  // The memory of this name is made by whoever comes first, and freed when all have left.
  Rendezvous(const std::string& name, int ranks, int rank);
  ~Rendezvous();
  Rendezvous(const Rendezvous&) = delete;
  Rendezvous& operator=(const Rendezvous&) = delete;

  int ranks() const { return ranks_; }
  int rank() const { return rank_; }
  std::byte* slot(int rank) const;

  // Says what this rank asks for and waits for the others. "" where all ask for the same; else what
  // is wrong, also where some rank has not come in time.
  std::string meet(const Collective& collective);
  // Waits for the others once more; false where they do not come.
  bool wait_for_all();

  // The highest number that any rank has asked for.
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
