// What started this process, if it is one of several ranks of a job: mpirun, srun or torchrun. They
// all say so by variables of the environment.
#pragma once

#include <map>
#include <optional>
#include <string>

namespace apps {

using Environment = std::map<std::string, std::string>;
Environment process_environment();

// How the ranks of a job find each other.
enum class Meeting {
  none,  // the process is a rank of its own
  mpi,   // through MPI
  nccl,  // through NCCL alone, which needs GPUs
};

struct Launch {
  Meeting meeting = Meeting::none;
  std::string launcher{};  // "mpirun", "srun", "torchrun"
  int rank = 0, count = 1;
  // Of the ranks on this machine, if the launcher says so.
  std::optional<int> local_rank{}, local_count{};
  std::string address{};  // HOST:PORT at which rank 0 waits for the others; for Meeting::nccl
};

// Recognises Open MPI's mpirun, that of MPICH and its relatives, srun, and torchrun. A launcher
// that has started one rank only counts as none. has_mpi: whether this program can use MPI; if it
// can, a job that both MPI and NCCL could bring together uses MPI. Without it the meeting is MPI's
// only if nothing else is possible.
//
// mpirun and torchrun start their own helpers by srun, so they outrank it if they differ. Throws
// BadStart if mpirun and torchrun both have started several ranks and differ, and if a variable is
// missing, is not a number or does not fit the others.
Launch recognise(const Environment& environment, bool has_mpi);

}  // namespace apps
