#include "tests/paper_model/scaling.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "tests/paper_model/step_messages.h"

namespace paper_model {
namespace {

// Assumed, not measured: hosts with 8 H100s on NVLink, each with a network adapter of 400 Gb/s.
constexpr int kGpusPerHost = 8;
constexpr double kHostLatency = 20e-6;       // of a small collective among the GPUs of a host
constexpr double kDoublingLatency = 7e-6;    // more with each doubling of the hosts
constexpr double kHostBandwidth = 350e9;     // bytes/s that a rank sends, within a host
constexpr double kNetworkBandwidth = 300e9;  // the same between hosts

double latency(int ranks) {
  const int hosts = std::max(1, ranks / kGpusPerHost);
  return kHostLatency + kDoublingLatency * std::log2(hosts);
}

double seconds(const Messages& messages, int ranks) {
  const double bandwidth = ranks <= kGpusPerHost ? kHostBandwidth : kNetworkBandwidth;
  const auto others = static_cast<double>(ranks - 1);
  const auto gathered = static_cast<double>(messages.gathered);
  const double summed = static_cast<double>(messages.bytes) - gathered;
  const double sent = others * (gathered + 2.0 / ranks * summed);  // by a ring
  return static_cast<double>(messages.count) * latency(ranks) + sent / bandwidth;
}

void print_messages(const char* name, const Messages& messages) {
  std::printf("%-28s %8lld %10.1f %14.1f\n", name, static_cast<long long>(messages.count),
              static_cast<double>(messages.bytes) / 1024.0,
              static_cast<double>(messages.gathered) / 1024.0);
}

struct Run {
  int ranks;
  int64_t images;  // per rank
};

void print_run(const Run& run, const StepMessages& messages, const StepSeconds& alone) {
  const double batch_norms = seconds(messages[pixpro::kOnlineLane], run.ranks);
  // Sums of gradients run beside the backward pass, but for the last bucket.
  const double gradients = seconds(messages[pixpro::kGradientLane], run.ranks);
  const auto buckets = static_cast<double>(messages[pixpro::kGradientLane].count);
  const double others = std::max(gradients / buckets, gradients - alone.backward) +
                        seconds(messages[pixpro::kNumbersLane], run.ranks);
  const double local = alone.all + others, all = local + batch_norms;
  std::printf("%5d %6lld %8lld %10.1f %10.1f %10.1f %10.1f%% %8.1f%% %12.0f\n", run.ranks,
              static_cast<long long>(run.images), static_cast<long long>(run.ranks * run.images),
              1e3 * alone.all, 1e3 * batch_norms, 1e3 * others, 100.0 * alone.all / all,
              100.0 * alone.all / local, static_cast<double>(run.ranks * run.images) / all);
}

}  // namespace

void print_scaling(const std::string& arch,
                   const std::function<StepSeconds(int64_t images)>& on_one_gpu) {
  layers::Init init{engine::Random(1)};
  const pixpro::Model model({.arch = arch}, init);
  const StepMessages apart = step_messages(model, {}),
                     shared = step_messages(model, {.in_lockstep = true});
  std::printf("%s, messages of a step\n\n%-28s %8s %10s %14s\n", arch.c_str(), "", "messages",
              "KiB", "gathered KiB");
  print_messages("batch norm on CUDA", shared[pixpro::kOnlineLane]);
  print_messages("batch norm on CPU: online", apart[pixpro::kOnlineLane]);
  print_messages("batch norm on CPU: target", apart[pixpro::kTargetLane]);
  print_messages("gradients", shared[pixpro::kGradientLane]);
  print_messages("numbers", shared[pixpro::kNumbersLane]);
  std::printf("\n%s, bf16, H100s, predicted\n\n%5s %6s %8s %10s %10s %10s %11s %9s %12s\n",
              arch.c_str(), "ranks", "images", "batch", "alone ms", "SyncBN ms", "others ms",
              "efficiency", "local BN", "images/s");
  for (const Run& run : {Run{8, 128}, {64, 16}, {64, 128}, {1024, 32}, {1024, 128}}) {
    print_run(run, shared, on_one_gpu(run.images));
  }
  std::printf("\n");
}

}  // namespace paper_model
