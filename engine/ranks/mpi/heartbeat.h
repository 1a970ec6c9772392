// Notices that another rank is gone. If a host vanishes, MPI may wait for its ranks for many
// minutes.
#pragma once

#include <mpi.h>

#include <chrono>
#include <string>
#include <vector>

#include "engine/error.h"

namespace engine {

// Nothing has been heard from a rank for too long, or it cannot be reached.
class LostRank : public Error {
  using Error::Error;
};

// Once per second rank 0 and each of the others send each other an empty message. They come from
// the thread that calls MPI, whatever the rank's other threads are doing: a rank that waits minutes
// for its images is not lost.
class Heartbeat {
 public:
  // All ranks call it together. patience: how long a rank may be silent
  explicit Heartbeat(std::chrono::seconds patience);

  // Sends and receives what is due. To be called at least once per second; it never waits. Throws
  // LostRank. Time for which this process itself was suspended does not count, because then the
  // other ranks may have been suspended with it.
  void beat();

  // All ranks call it together, before MPI_Finalize. Waits for the others.
  void finish();

 private:
  using Clock = std::chrono::steady_clock;
  struct Peer {
    int rank;
    MPI_Request sent = MPI_REQUEST_NULL;
    Clock::duration silent{};
  };

  void receive();
  void send(Peer& peer, int tag);
  std::string name_of(int rank) const;
  void check(int status, const Peer& peer) const;

  const Clock::duration patience_;
  MPI_Comm comm_ = MPI_COMM_NULL;
  int own_ = 0;
  std::vector<char> hosts_;  // of all ranks, MPI_MAX_PROCESSOR_NAME bytes each
  std::vector<Peer> peers_;
  Clock::time_point last_ = Clock::now();
};

}  // namespace engine
