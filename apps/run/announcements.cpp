#include "apps/run/announcements.h"

#include <filesystem>
#include <sstream>

#include "apps/console.h"
#include "engine/allocator.h"
#include "pixpro/report/summary.h"

namespace apps {
namespace {

// How much of the GPU's memory the run needed. Free memory in small pieces is of no use to large
// tensors.
void write_memory(std::ostream& out, engine::Device device) {
  const engine::MemoryStats memory = engine::allocator_of(device).stats();
  const auto mib = [](int64_t bytes) { return bytes >> 20; };
  out << "memory   tensors: " << mib(memory.peak_bytes) << " MiB at the peak, "
      << mib(memory.current_bytes) << " MiB now; free: " << mib(memory.cached_bytes)
      << " MiB in pieces of up to " << mib(memory.largest_cached) << " MiB\n";
}

}  // namespace

void announce(const PretrainFlags& flags, const Rank& rank, const pixpro::Source& source,
              const pixpro::Loader& loader, const pixpro::Trainer& trainer) {
  std::ostringstream text;
  text << source.size() << " images, " << loader.steps_per_epoch() << " steps of "
       << flags.batch_size * rank.count << " images per epoch, " << flags.training.optimizer.epochs
       << " epochs\n";
  if (rank.count > 1) {
    text << "ranks: " << rank.count << " with " << flags.batch_size << " images per step each, "
         << rank.local_count << " of them on this machine\n";
  }
  if (const std::string skipped = source.skipped().text(); !skipped.empty()) {
    text << skipped << '\n';
  }
  text << "threads: " << rank.threads.count << " for computing (" << rank.threads.reason << "), "
       << flags.num_workers << " for loading images\n";
  if (trainer.steps_done() > 0) {
    text << "going on after step " << trainer.steps_done() << " of " << trainer.total_steps()
         << '\n';
  }
  say(text.str());
}

void report_outcome(const RunFolder& folder, const pixpro::TrainerOptions& options,
                    const Batches& batches) {
  std::ostringstream text;
  text << '\n';
  if (const std::string broken = batches.broken_summary(); !broken.empty()) {
    text << "broken   " << broken << '\n';
  }
  if (options.device != engine::kCpu) write_memory(text, options.device);
  if (const auto summary = pixpro::summarize(folder.metrics())) {
    text << summary_text(*summary, options.model.out_channels) << '\n';
  }
  text << "weights  " << folder.weights().string() << '\n'
       << "metrics  " << folder.metrics().string() << '\n';
  if (std::filesystem::exists(folder.picture())) {
    text << "picture  " << folder.picture().string() << '\n';
  }
  say(text.str());
}

}  // namespace apps
