#include "apps/ranks/ranks.h"

#include <algorithm>
#include <cstdlib>

#include "apps/commands/commands.h"
#include "apps/console.h"
#include "apps/ranks/bad_start.h"
#include "apps/ranks/gpu_threads.h"
#include "apps/ranks/sharing.h"
#include "engine/ranks/devices.h"
#include "engine/ranks/mpi.h"
#include "engine/tensor_ops.h"
#include "pixpro/train/lanes.h"
#include "pixpro/train/shared_error.h"

namespace apps {
namespace {

using engine::Communicator;

// The device of a process that a launcher has started.
engine::Device device_of_process(const MachineFlags& flags, const Launch& launch) {
  if (flags.device == "cpu") return engine::kCpu;
  require_start(flags.device == "cuda", "--device: ", launch.launcher, " has started ",
                launch.count,
                " ranks, each of which takes one GPU of its machine: expected cpu or ",
                "cuda, found '", flags.device, "'");
  const int gpus = engine::count_cuda_devices();
  const engine::Device first = device_of(flags);
  if (gpus == 1) return first;  // the launcher may show each rank its own GPU alone
  require_start(launch.local_rank.has_value(), "environment: ", launch.launcher,
                " does not say which of the machine's ranks this is, so it cannot be given a GPU: ",
                "set CUDA_VISIBLE_DEVICES to one GPU for each rank");
  require_start(*launch.local_rank < gpus, "--device: this is rank ", *launch.local_rank,
                " of its machine, counted from 0, but the process sees ", gpus,
                " GPUs: start one rank per GPU");
  return {engine::Device::Type::cuda, *launch.local_rank};
}

void require_meeting(const Launch& launch, bool on_cpu) {
  if (launch.meeting == Meeting::mpi) {
    require_start(engine::has_mpi(), launch.launcher, " has started ", launch.count,
                  " ranks, which meet through MPI, but this program was built without MPI: ",
                  "install Open MPI or MPICH and build it again");
  }
  if (launch.meeting == Meeting::nccl) {
    require_start(
        !on_cpu, launch.launcher, " has started ", launch.count,
        " ranks, which need --device cuda: ranks on CPUs meet through MPI, so start them ",
        "with mpirun or srun --mpi=pmix",
        engine::has_mpi() ? "" : ", and build this program with MPI");
  }
}

// Runs the job and lets the communicator finish, also if all ranks end early together. Rank 0 says
// why before that, because a launcher may kill it as soon as another rank has ended.
void run_to_the_end(Communicator& ranks, const std::function<void()>& job) {
  const auto end_early = [&](const std::exception& reason, int status) {
    if (ranks.rank() == 0) warn(reason.what());
    finish_output();
    ranks.finish();
    throw EndedTogether{status};
  };
  try {
    job();
  } catch (const Stopped& stopped) {
    end_early(stopped, kInterruptedStatus);
  } catch (const pixpro::SharedError& error) {
    end_early(error, 1);
  } catch (const EndedTogether&) {  // that of the communicator inside
    ranks.finish();
    throw;
  }
  ranks.finish();
}

Rank rank_of_process(const RankPlan& plan, Communicator& ranks) {
  const engine::Device device = plan.devices.front();
  const engine::Sharing sharing = find_sharing(ranks, device);
  return {.ranks = &ranks,
          .index = ranks.rank(),
          .count = ranks.size(),
          .local_count = sharing.machine,
          .device = device,
          .threads = use_machine(plan.flags, device, sharing)};
}

std::string of_rank(int rank, const std::exception& error) {
  return "rank " + std::to_string(rank) + ": " + error.what();
}

// Throws BadStart if MPI cannot begin, or is another one than the launcher's: then every process
// would train alone.
std::unique_ptr<Communicator> start_mpi(const Launch& launch) {
  std::unique_ptr<Communicator> mpi;
  try {
    mpi = engine::make_mpi_communicator(pixpro::kLanes, [](const std::string& line) {
      warn(line);
      finish_output();
    });
  } catch (const engine::Error& error) {
    throw BadStart(error.what());
  }
  if (mpi->size() == 1) {
    mpi->finish();
    require_start(
        false, launch.launcher, " has started ", launch.count,
        " ranks, but MPI sees this one alone: start them with the mpirun of the MPI that ",
        "this program was built with");
  }
  return mpi;
}

// Ranks with tensors on CPUs and on GPUs would wait for each other in different places.
void require_one_kind(Communicator& mpi, engine::Device device) {
  engine::Tensor all({mpi.size()}, engine::DType::f64);
  mpi.all_gather(engine::full({1}, device == engine::kCpu ? 0.0 : 1.0, engine::DType::f64), all);
  const std::vector<double> on_gpu = engine::to_values(all);
  require_start(std::ranges::count(on_gpu, on_gpu.front()) == mpi.size(),
                "--device: some ranks have cpu and others cuda; start all of them alike");
}

// A rank of MPI, whose communicator carries tensors on the CPU. Those on GPUs go through NCCL;
// MPI's communicator then carries NCCL's id and ends the job.
void on_mpi_rank(const RankPlan& plan, const RankJob& job) {
  const std::unique_ptr<Communicator> mpi = start_mpi(plan.launch);
  std::unique_ptr<Communicator> nccl;  // destroyed after an error is said: then the others fail too
  try {
    run_to_the_end(*mpi, [&] {
      const engine::Device device = plan.devices.front();
      require_one_kind(*mpi, device);
      if (device == engine::kCpu) return job(rank_of_process(plan, *mpi));
      nccl = engine::make_nccl_communicator(device, mpi->rank(), mpi->size(), pixpro::kLanes,
                                            engine::share_through(*mpi));
      run_to_the_end(*nccl, [&] { job(rank_of_process(plan, *nccl)); });
    });
  } catch (const std::exception& error) {
    warn(of_rank(mpi->rank(), error));
    finish_output();
    mpi->abort();  // ends this process too
  }
}

// A rank of torchrun or srun without MPI.
void on_nccl_rank(const RankPlan& plan, const RankJob& job) {
  setenv("NCCL_COMM_ID", plan.launch.address.c_str(), /*overwrite=*/0);
  try {
    const auto nccl = engine::make_nccl_communicator(plan.devices.front(), plan.launch.rank,
                                                     plan.launch.count, pixpro::kLanes, {});
    run_to_the_end(*nccl, [&] { job(rank_of_process(plan, *nccl)); });
  } catch (const std::exception& error) {
    engine::fail(of_rank(plan.launch.rank, error));
  }
}

void on_threads(const RankPlan& plan, const RankJob& job) {
  const engine::Sharing sharing{plan.count(), plan.count()};
  on_gpu_threads(plan.devices, pixpro::kLanes, [&](Communicator& ranks, engine::Device device) {
    const Rank rank{.ranks = &ranks,
                    .index = ranks.rank(),
                    .count = ranks.size(),
                    .local_count = ranks.size(),
                    .device = device,
                    .threads = use_machine(plan.flags, device, sharing)};
    run_to_the_end(ranks, [&] { job(rank); });
  });
}

}  // namespace

int RankPlan::count() const {
  return launch.meeting == Meeting::none ? static_cast<int>(devices.size()) : launch.count;
}

RankPlan plan_ranks(const MachineFlags& flags, const Environment& environment) {
  RankPlan plan{.flags = flags, .launch = recognise(environment, engine::has_mpi())};
  if (plan.launch.meeting == Meeting::none) {
    // A kernel that is loaded when it is first called may wait for the kernels of all GPUs of the
    // process, and a collective's kernel for the other GPUs.
    if (flags.device.find_first_of(",-a") != std::string::npos) {
      setenv("CUDA_MODULE_LOADING", "EAGER", /*overwrite=*/0);
    }
    plan.devices = devices_of(flags);
  } else {
    plan.devices = {device_of_process(flags, plan.launch)};
    require_meeting(plan.launch, plan.devices.front() == engine::kCpu);
  }
  return plan;
}

int busy_threads(const RankPlan& plan, int others) {
  const int ranks =
      std::max(static_cast<int>(plan.devices.size()), plan.launch.local_count.value_or(1));
  const int cores = engine::usable_cores({.cores = ranks, .machine = ranks}).count;
  return ranks * ((plan.flags.threads > 0 ? plan.flags.threads : cores) + others);
}

void on_ranks(const RankPlan& plan, const RankJob& job) {
  if (plan.count() == 1) {
    const engine::Device device = plan.devices.front();
    return job({.device = device, .threads = use_machine(plan.flags, device)});
  }
  switch (plan.launch.meeting) {
    case Meeting::none:
      return on_threads(plan, job);
    case Meeting::mpi:
      return on_mpi_rank(plan, job);
    case Meeting::nccl:
      return on_nccl_rank(plan, job);
  }
}

}  // namespace apps
