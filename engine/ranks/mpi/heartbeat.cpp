#include "engine/ranks/mpi/heartbeat.h"

#include <algorithm>

namespace engine {
namespace {

constexpr std::chrono::seconds kPeriod{1};
// The most that counts as silence between two calls of beat().
constexpr std::chrono::seconds kMostPerBeat{2};

constexpr int kAlive = 1, kLast = 2;  // tags of the messages

}  // namespace

Heartbeat::Heartbeat(std::chrono::seconds patience) : patience_(patience) {
  const auto check_start = [](int status) {
    require(status == MPI_SUCCESS, "mpi: the ranks cannot exchange the names of their hosts");
  };
  check_start(MPI_Comm_dup(MPI_COMM_WORLD, &comm_));
  int size = 1, length = 0;
  check_start(MPI_Comm_rank(comm_, &own_));
  check_start(MPI_Comm_size(comm_, &size));
  char host[MPI_MAX_PROCESSOR_NAME] = {};
  check_start(MPI_Get_processor_name(host, &length));
  hosts_.resize(static_cast<size_t>(size) * sizeof host);
  check_start(
      MPI_Allgather(host, sizeof host, MPI_CHAR, hosts_.data(), sizeof host, MPI_CHAR, comm_));
  const int peers = own_ == 0 ? size : 1;
  for (int rank = 0; rank < peers; ++rank) {
    if (rank != own_) peers_.push_back({rank});
  }
}

void Heartbeat::beat() {
  const Clock::time_point now = Clock::now();
  const Clock::duration passed = now - last_;
  if (passed < kPeriod) return;
  last_ = now;
  for (Peer& peer : peers_) peer.silent += std::min<Clock::duration>(passed, kMostPerBeat);
  receive();
  for (Peer& peer : peers_) {
    if (peer.silent >= patience_) {
      const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(patience_).count();
      throw LostRank(name_of(own_) + " has heard nothing from " + name_of(peer.rank) + " for " +
                     std::to_string(seconds) +
                     " s: that process or its host has died, or the network between them");
    }
    int has_gone = 0;
    check(MPI_Test(&peer.sent, &has_gone, MPI_STATUS_IGNORE), peer);
    if (has_gone != 0) send(peer, kAlive);
  }
}

void Heartbeat::receive() {
  for (Peer& peer : peers_) {
    for (int arrived = 1;;) {
      check(MPI_Iprobe(peer.rank, kAlive, comm_, &arrived, MPI_STATUS_IGNORE), peer);
      if (arrived == 0) break;
      check(MPI_Recv(nullptr, 0, MPI_BYTE, peer.rank, kAlive, comm_, MPI_STATUS_IGNORE), peer);
      peer.silent = Clock::duration::zero();
    }
  }
}

void Heartbeat::finish() {
  for (Peer& peer : peers_) {
    check(MPI_Wait(&peer.sent, MPI_STATUS_IGNORE), peer);
    send(peer, kLast);
  }
  for (Peer& peer : peers_) {
    MPI_Status status{};
    while (status.MPI_TAG != kLast) {
      check(MPI_Recv(nullptr, 0, MPI_BYTE, peer.rank, MPI_ANY_TAG, comm_, &status), peer);
    }
    check(MPI_Wait(&peer.sent, MPI_STATUS_IGNORE), peer);
  }
  MPI_Comm_free(&comm_);
}

void Heartbeat::send(Peer& peer, int tag) {
  check(MPI_Isend(nullptr, 0, MPI_BYTE, peer.rank, tag, comm_, &peer.sent), peer);
}

std::string Heartbeat::name_of(int rank) const {
  const char* host = &hosts_[static_cast<size_t>(rank) * MPI_MAX_PROCESSOR_NAME];
  return "rank " + std::to_string(rank) + " on " + host;
}

void Heartbeat::check(int status, const Peer& peer) const {
  if (status == MPI_SUCCESS) return;
  throw LostRank(name_of(own_) + " cannot reach " + name_of(peer.rank));
}

}  // namespace engine
