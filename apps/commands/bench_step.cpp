// pixpro bench step: how fast a training step is, and which kernels take its time.
#include <omp.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <memory>

#include "apps/commands/commands.h"
#include "apps/flags/ranks.h"
#include "apps/flags/training.h"
#include "apps/flags/views.h"
#include "apps/machine_limits.h"
#include "engine/profile.h"
#include "pixpro/train/lanes.h"
#include "pixpro/train/run.h"

namespace apps {
namespace {

struct BenchFlags {
  TrainingFlags training;
  RankFlags ranks;
  int image_size = 224;
  int64_t batch_size = 8;
  int steps = 5;
};

struct Measurement {
  std::vector<double> seconds;  // of each step, sorted
  engine::Profile profile;      // of all steps
  int64_t reorders = 0;
  int64_t system_allocations = 0;
  double tensor_mib = 0.0;                                // peak
  std::array<engine::Traffic, pixpro::kLanes> traffic{};  // of all steps, by lane

  double best() const { return seconds.front(); }
  double median() const { return seconds[seconds.size() / 2]; }
};

pixpro::Batch random_batch(int64_t images, int64_t size) {
  layers::Init noise{engine::Random(1)};
  pixpro::Batch batch{.views = noise.normal({2 * images, 3, size, size}, 1.0),
                      .boxes = engine::Tensor({2 * images, 4}, engine::DType::f64)};
  engine::Random random(2);
  double* box = batch.boxes.data<double>();
  for (int64_t i = 0; i < 2 * images; ++i, box += 4) {
    box[0] = random.uniform(0.0, 0.4), box[1] = random.uniform(0.0, 0.4);
    box[2] = random.uniform(0.6, 1.0), box[3] = random.uniform(0.6, 1.0);
  }
  return batch;
}

// Times turns of the training loop. Each starts a step and finishes the previous one.
Measurement measure_steps(const BenchFlags& flags, const Rank& rank) {
  pixpro::TrainerOptions options =
      trainer_options(flags.training, flags.batch_size * rank.count, {.total_steps = 100000});
  train_as(rank, flags.ranks, options);
  pixpro::Trainer trainer(options);
  const pixpro::Batch batch = random_batch(flags.batch_size, flags.image_size);
  pixpro::RunState state;
  pixpro::TrainingRun run(trainer, state, {.next_batch = [&] { return batch; }});
  // The first steps create primitives and fill the allocator's cache. One more is on its way when
  // the first timed step begins.
  constexpr int kWarmUp = 2;
  for (int i = 0; i < kWarmUp + 1; ++i) run.next();

  engine::CpuContext& ctx = engine::cpu_context();
  engine::Allocator& allocator = engine::allocator_of(rank.device);
  allocator.reset_peak();
  const int64_t reorders = ctx.counters.reorders,
                allocations = allocator.stats().system_allocations;
  Measurement m;
  const auto for_lanes = [&](auto act) {
    for (int lane = 0; rank.ranks && lane < pixpro::kLanes; ++lane) act(lane);
  };
  for_lanes([&](int lane) { rank.ranks->lane(lane).measure_traffic(); });
  ctx.profile = &m.profile;
  for (int i = 0; i < flags.steps; ++i) {
    const auto start = std::chrono::steady_clock::now();
    run.next();
    m.seconds.push_back(
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  ctx.profile = nullptr;
  for_lanes(
      [&](int lane) { m.traffic[static_cast<size_t>(lane)] = rank.ranks->lane(lane).traffic(); });
  run.finish();
  std::ranges::sort(m.seconds);
  const engine::MemoryStats memory = allocator.stats();
  m.reorders = ctx.counters.reorders - reorders;
  m.system_allocations = memory.system_allocations - allocations;
  m.tensor_mib = static_cast<double>(memory.peak_bytes) / (1 << 20);
  return m;
}

void print_table(const Measurement& m) {
  using Row = std::pair<std::string, engine::KernelTotal>;
  std::vector<Row> rows(m.profile.kernels.begin(), m.profile.kernels.end());
  std::ranges::sort(rows, std::greater<>(), [](const Row& row) { return row.second.seconds; });
  const auto steps = static_cast<double>(m.seconds.size());
  double all = 0.0, kernels = 0.0;
  for (const double seconds : m.seconds) all += seconds;
  const auto line = [&](const char* name, double calls, double seconds) {
    std::printf("%-36s %7.0f %9.2f %6.1f%%", name, calls / steps, 1e3 * seconds / steps,
                100.0 * seconds / all);
  };
  std::printf("\n%-36s %7s %9s %7s %9s %7s\n", "kernel", "calls", "ms", "share", "GFLOP/s", "GB/s");
  for (const auto& [name, total] : rows) {
    line(name.c_str(), static_cast<double>(total.calls), total.seconds);
    if (total.flops > 0.0) {
      std::printf(" %9.1f", 1e-9 * total.flops / total.seconds);
    } else {
      std::printf(" %9s", "");
    }
    std::printf(" %7.1f\n", 1e-9 * total.bytes / total.seconds);
    kernels += total.seconds;
  }
  line("between kernels", 0.0, all - kernels);
  std::printf("\n");
}

double flops_of(const engine::Profile& profile) {
  double flops = 0.0;
  for (const auto& [name, total] : profile.kernels) flops += total.flops;
  return flops;
}

// What the CPU kernels did. CUDA kernels are better seen by CUDA's own profilers.
void print_cpu_work(const BenchFlags& flags, const Measurement& m, double peak_gflops) {
  const double gflop = 1e-9 * flops_of(m.profile) / static_cast<double>(m.seconds.size());
  std::printf("work     %.1f GFLOP per step: %.1f GFLOP/s, %.0f%% of the machine's\n", gflop,
              gflop / m.median(), 100.0 * gflop / m.median() / peak_gflops);
  std::printf("steady   %.1f layout changes per step\n",
              static_cast<double>(m.reorders) / flags.steps);
  print_table(m);
}

// What this rank gave to collectives and how long they took.
void print_traffic(const Measurement& m) {
  const auto steps = static_cast<double>(m.seconds.size());
  const auto line = [steps](const char* name, const engine::Traffic& t) {
    std::printf("%-36s %7.0f %9.1f %9.2f %9.2f\n", name, static_cast<double>(t.messages) / steps,
                static_cast<double>(t.bytes) / 1024.0 / steps, 1e3 * t.under_way / steps,
                1e3 * t.waited / steps);
  };
  std::printf("\n%-36s %7s %9s %9s %9s\n", "communication of rank 0", "calls", "KiB", "ms",
              "waited");
  line("batch norm of the online branch", m.traffic[pixpro::kOnlineLane]);
  line("batch norm of the target branch", m.traffic[pixpro::kTargetLane]);
  line("sums of gradients", m.traffic[pixpro::kGradientLane]);
  line("numbers", m.traffic[pixpro::kNumbersLane]);
  const engine::Traffic& gradients = m.traffic[pixpro::kGradientLane];
  const double hidden = 1.0 - std::min(1.0, gradients.waited / gradients.under_way);
  std::printf("%.0f%% of the time of the sums of gradients was hidden by the backward pass\n",
              100.0 * hidden);
}

void print_all(const BenchFlags& flags, const Rank& rank, const Measurement& m) {
  const bool on_cpu = rank.device == engine::kCpu;
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);  // before the machine is measured, which takes memory of its own
  const double peak = on_cpu ? measure_fma_gflops() : 0.0;
  const double memory = on_cpu ? measure_memory_gbytes() : 0.0;

  const auto batch = static_cast<double>(flags.batch_size * rank.count);
  std::printf("%s, %d pixels, batch %lld, %s %s, %d threads, %d steps\n",
              flags.training.model.arch.c_str(), flags.image_size,
              static_cast<long long>(flags.batch_size), flags.training.machine.device.c_str(),
              flags.training.machine.precision.c_str(), omp_get_max_threads(), flags.steps);
  if (rank.count > 1) {
    std::printf("ranks    %d, each with this batch and these threads\n", rank.count);
  }
  if (on_cpu) {
    std::printf("machine  %.1f GFLOP/s multiply-add, %.1f GB/s copy\n", peak, memory);
  }
  std::printf("step     median %.4f s, best %.4f s: %.2f and %.2f images/s\n", m.median(), m.best(),
              batch / m.median(), batch / m.best());
  std::printf(
      "memory   peak %.0f MiB tensors, %.0f MiB process; %.1f system allocations per step\n",
      m.tensor_mib, static_cast<double>(usage.ru_maxrss) / 1024.0,
      static_cast<double>(m.system_allocations) / flags.steps);
  if (on_cpu) print_cpu_work(flags, m, peak);
  if (rank.count > 1) print_traffic(m);
}

void bench_step(const BenchFlags& flags) {
  const RankPlan plan = plan_ranks(flags.training.machine);
  sleep_if_cores_are_short(busy_threads(plan, 0));
  on_ranks(plan, [&](const Rank& rank) {
    const Measurement m = measure_steps(flags, rank);
    if (rank.leads()) print_all(flags, rank, m);
  });
}

}  // namespace

void add_bench_step(CLI::App& bench) {
  auto flags = std::make_shared<BenchFlags>();
  Command command(bench, "step", "Time training steps on random images");
  add_image_size(command, flags->image_size);
  add_batch_size(command, flags->batch_size);
  command.add("--steps", &flags->steps, ChangesNumbers::no,
              "Steps to time, after two that are not timed", CLI::Range(1, 100000));
  add_training_flags(command, flags->training);
  add_rank_flags(command, flags->ranks);
  command.set_job_for_ranks([flags] { bench_step(*flags); });
}

}  // namespace apps
