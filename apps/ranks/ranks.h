// The ranks of a run. Each drives one device and trains on its share of the images. A run has
// several if --device names several GPUs, which makes them threads of one process, or if mpirun,
// srun or torchrun has started several processes.
//
// A command that can run on several ranks:
//   const RankPlan plan = plan_ranks(flags.machine);
//   sleep_if_cores_are_short(busy_threads(plan, workers));
//   on_ranks(plan, [&](const Rank& rank) { ... });
#pragma once

#include <functional>
#include <vector>

#include "apps/flags/machine.h"
#include "apps/ranks/launch.h"
#include "engine/ranks/communicator.h"

namespace apps {

// Which ranks a process drives. None has begun yet.
struct RankPlan {
  MachineFlags flags{};
  Launch launch{};
  // One per rank of this process. If a launcher has started several processes, each has one.
  std::vector<engine::Device> devices{};

  int count() const;  // ranks of the run
};

// Throws BadStart if the ranks cannot begin as they were started; `environment` says how that was.
RankPlan plan_ranks(const MachineFlags& flags,
                    const Environment& environment = process_environment());

// The threads that will be busy on the cores of this process, as far as can be known before the
// ranks begin, if each has `others` besides those that compute.
int busy_threads(const RankPlan& plan, int others);

// One rank, as a command sees it.
struct Rank {
  // Null if the run has one rank. It has the lanes of pixpro/train/lanes.h.
  engine::Communicator* ranks = nullptr;
  int index = 0, count = 1;
  int local_count = 1;  // ranks on this machine
  engine::Device device = engine::kCpu;
  Threads threads{};

  bool leads() const { return index == 0; }
};
using RankJob = std::function<void(const Rank&)>;

// Calls the job once for each rank that this process drives, on a thread that is set up to compute
// on the rank's device, and finishes the communicator after it. Jobs on several devices run at
// once, on a thread each; with one rank the job runs on the calling thread.
//
// If a job throws, all ranks end: those of this process by an aborted communicator, after which the
// first error is thrown as "rank 2: MESSAGE". Under MPI that text goes to standard error and the
// whole job ends at once, this process too. Other processes of torchrun or srun are ended by these.
// If all ranks throw Stopped or SharedError, they end together: rank 0 says why, and EndedTogether
// is thrown.
void on_ranks(const RankPlan& plan, const RankJob& job);

}  // namespace apps
