// pixpro pretrain: from a folder of images to a pre-trained backbone.
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>

#include "apps/commands/commands.h"
#include "apps/flags/bit_depth.h"
#include "apps/flags/source.h"
#include "apps/flags/training.h"
#include "apps/flags/views.h"
#include "apps/interrupts.h"
#include "apps/output_folder.h"
#include "apps/progress.h"
#include "pixpro/data/batches/device_views.h"
#include "pixpro/data/batches/loader.h"
#include "pixpro/report/metrics_file.h"
#include "pixpro/report/pair_picture.h"
#include "pixpro/report/summary.h"
#include "pixpro/train/checkpoint.h"
#include "pixpro/train/run.h"
#include "pixpro/weights/weights.h"

namespace apps {
namespace {

namespace fs = std::filesystem;

struct PretrainFlags {
  SourceFlags source;
  BitDepthFlag bit_depth;
  ViewFlags views;
  TrainingFlags training;
  int64_t batch_size = 128;
  int num_workers = 4;
  std::optional<int64_t> max_broken;
  fs::path output_dir = "output";
  int64_t save_freq = 10;
  std::optional<fs::path> resume;
  bool auto_resume = false;
};

void check(const PretrainFlags& flags) {
  engine::require(flags.views.aug != "val",
                  "--aug val is for evaluation: it would make both views the same image; BYOL is "
                  "the paper's recipe");
  engine::require(
      !flags.views.on_gpu() || device_of(flags.training.machine) != engine::kCpu,
      "--augment-on gpu needs a GPU to train on: add --device cuda, or leave the images to the "
      "workers with --augment-on cpu");
}

fs::path newest_checkpoint(const PretrainFlags& flags) {
  return flags.output_dir / "current.safetensors";
}
fs::path weights_file(const PretrainFlags& flags) {
  return flags.output_dir / "weights.safetensors";
}
fs::path metrics_file(const PretrainFlags& flags) { return flags.output_dir / "metrics.jsonl"; }
fs::path picture_file(const PretrainFlags& flags) { return flags.output_dir / "views.png"; }

// The checkpoint that the run goes on from; none for a new run.
std::optional<engine::TensorFile> checkpoint_to_resume(const PretrainFlags& flags) {
  const fs::path newest = newest_checkpoint(flags);
  if (flags.auto_resume && fs::exists(newest)) return engine::read_tensor_file(newest);
  if (flags.resume) return engine::read_tensor_file(*flags.resume);
  return std::nullopt;
}

// The setting --bit-depth of a checkpoint is a number, never auto: a run goes on with the depth
// that it began with. Runs that did not record it took all 16 bits.
constexpr const char *kBitDepth = "--bit-depth", *kUnrecordedBitDepth = "16";

BitDepthFlag bit_depth_of(const PretrainFlags& flags,
                          std::optional<engine::TensorFile>& checkpoint) {
  if (!checkpoint) return flags.bit_depth;
  const auto recorded = checkpoint->metadata.try_emplace(kBitDepth, kUnrecordedBitDepth).first;
  return flags.bit_depth.is_auto() ? BitDepthFlag{recorded->second} : flags.bit_depth;
}

pixpro::LoaderOptions loader_options(const PretrainFlags& flags, const pixpro::RunState& state,
                                     const pixpro::DecodeOptions& decoding) {
  return {.plan = {.batch_size = flags.batch_size},
          .recipe = flags.views.recipe(),
          .image_size = flags.views.image_size,
          .seed = flags.training.machine.seed,
          .workers = flags.num_workers,
          .decoding = decoding,
          .first_step = static_cast<int64_t>(state.steps.size()),
          .known_broken = state.broken_images,
          .max_broken = flags.max_broken,
          .raw = flags.views.on_gpu()};
}

// Where batches come from.
struct Images {
  pixpro::Loader loader;
  std::optional<pixpro::DeviceViews> gpu = {};  // finishes the loader's views
};

// Reports the broken images that have been found since the last call and adds them to the run's.
void report_broken(pixpro::Loader& loader, std::vector<int64_t>& broken) {
  for (const pixpro::BrokenImage& image : loader.take_broken()) {
    std::cerr << "pixpro: skipped: " << image.reason << '\n';
    broken.push_back(image.sample);
  }
}

// The next batch. Even if an error ends the run here, broken images found before it are reported.
pixpro::Batch next_batch(Images& images, std::vector<int64_t>& broken) {
  try {
    pixpro::Batch batch =
        images.gpu ? images.gpu->finish(images.loader.next_raw()) : images.loader.next();
    report_broken(images.loader, broken);
    return batch;
  } catch (...) {
    report_broken(images.loader, broken);
    throw;
  }
}

// Trains to the last step. A signal ends the run earlier, with a checkpoint and an error that says
// how to continue.
void train(const PretrainFlags& flags, Images& images, pixpro::Trainer& trainer,
           const pixpro::Settings& settings, pixpro::RunState& state) {
  pixpro::MetricsFile metrics(metrics_file(flags), state.steps);
  Progress progress(flags.training.optimizer.epochs, trainer.total_steps(), trainer.steps_done());
  const Interrupts interrupts;
  const int64_t save_steps = flags.save_freq * images.loader.steps_per_epoch();
  const pixpro::Interlude checkpoint{
      .due = [&](int64_t done, bool last) { return last || done % save_steps == 0; },
      .act = [&] { write_checkpoint(newest_checkpoint(flags), trainer, state, settings); }};
  const auto record = [&](const pixpro::StepRecord& step) {
    metrics.write(step);
    progress.show(step);
  };
  pixpro::TrainingRun run(trainer, state,
                          {.next_batch = [&] { return next_batch(images, state.broken_images); },
                           .wait_seconds = [&] { return images.loader.wait_seconds(); },
                           .record = record,
                           .stop_requested = [&] { return interrupts.arrived(); },
                           .interludes = {checkpoint}});
  const bool complete = run.train();
  engine::require(complete, "interrupted after step ", trainer.steps_done(), " of ",
                  trainer.total_steps(), "; the same command with --auto-resume goes on from '",
                  newest_checkpoint(flags).string(), "'");
}

void announce(const PretrainFlags& flags, const Threads& threads, const pixpro::Source& source,
              const pixpro::Loader& loader, const pixpro::Trainer& trainer) {
  std::cout << source.size() << " images, " << loader.steps_per_epoch() << " steps of "
            << flags.batch_size << " images per epoch, " << flags.training.optimizer.epochs
            << " epochs\n"
            << "threads: " << threads.count << " for computing (" << threads.reason << "), "
            << flags.num_workers << " for loading images\n";
  if (trainer.steps_done() > 0) {
    std::cout << "going on after step " << trainer.steps_done() << " of " << trainer.total_steps()
              << '\n';
  }
  std::cout << std::flush;
}

// How much of the GPU's memory the run needed. Free memory in small pieces is of no use to large
// tensors.
void print_memory(engine::Device device) {
  const engine::MemoryStats memory = engine::allocator_of(device).stats();
  const auto mib = [](int64_t bytes) { return bytes >> 20; };
  std::cout << "memory   tensors: " << mib(memory.peak_bytes) << " MiB at the peak, "
            << mib(memory.current_bytes) << " MiB now; free: " << mib(memory.cached_bytes)
            << " MiB in pieces of up to " << mib(memory.largest_cached) << " MiB\n";
}

void print_outcome(const PretrainFlags& flags, const pixpro::TrainerOptions& options,
                   const std::vector<pixpro::StepRecord>& steps) {
  std::cout << '\n';
  if (options.device != engine::kCpu) print_memory(options.device);
  std::cout << summary_text(pixpro::summarize(steps), options.model.out_channels) << '\n'
            << "weights  " << weights_file(flags).string() << '\n'
            << "metrics  " << metrics_file(flags).string() << '\n'
            << "picture  " << picture_file(flags).string() << std::endl;
}

void pretrain(const PretrainFlags& flags, pixpro::Settings settings) {
  check(flags);
  const Threads threads = use_machine(flags.training.machine);
  sleep_if_cores_are_short(threads.count + flags.num_workers);
  const std::unique_ptr<pixpro::Source> source = open_images(flags.source);
  settings["images"] = std::to_string(source->size());
  std::optional<engine::TensorFile> checkpoint = checkpoint_to_resume(flags);
  const pixpro::DecodeOptions decoding = decode_options(bit_depth_of(flags, checkpoint), *source);
  settings[kBitDepth] = std::to_string(decoding.bit_depth);
  pixpro::RunState state;
  if (checkpoint) state = pixpro::run_of(*checkpoint, settings);

  const pixpro::LoaderOptions loading = loader_options(flags, state, decoding);
  Images images{.loader{*source, loading}};
  const RunLength length = run_length(flags.training.optimizer, images.loader.steps_per_epoch());
  const pixpro::TrainerOptions options = trainer_options(flags.training, flags.batch_size, length);
  pixpro::Trainer trainer(options);
  if (checkpoint) trainer.load_state(*checkpoint);
  checkpoint.reset();  // as large as the trainer
  if (flags.views.on_gpu()) {
    images.gpu.emplace(options.device, options.precision, flags.views.image_size);
  }

  make_output_folder(flags.output_dir);
  announce(flags, threads, *source, images.loader, trainer);
  write_pair_picture(picture_file(flags), *source, loading, flags.views.grid(),
                     options.model.pos_ratio);
  train(flags, images, trainer, settings, state);
  write_tensor_file(weights_file(flags), pixpro::weights_of(trainer.model()));
  print_outcome(flags, options, state.steps);
}

}  // namespace

void add_pretrain(CLI::App& app) {
  auto flags = std::make_shared<PretrainFlags>();
  Command command(app, "pretrain", "Pre-train a backbone on a folder of images");
  add_source_flags(command, flags->source);
  command.add("--max-broken", &flags->max_broken, ChangesNumbers::no,
              "Stop if more images than this cannot be read", CLI::NonNegativeNumber);
  command.add("--num-workers", &flags->num_workers, ChangesNumbers::no,
              "Threads that read and augment images", CLI::Range(1, 1024));
  add_augment_on(command, flags->views);
  command.add("--output-dir", &flags->output_dir, ChangesNumbers::no,
              "Folder for weights, metrics, checkpoint and picture");
  command.add("--save-freq", &flags->save_freq, ChangesNumbers::no,
              "Epochs between two checkpoints; there is always one at the end",
              CLI::Range(int64_t{1}, int64_t{1} << 20));
  command.add("--resume", &flags->resume, ChangesNumbers::no, "Checkpoint to go on from");
  command.add("--auto-resume", &flags->auto_resume, ChangesNumbers::no,
              "Go on from the checkpoint in the output folder if there is one");
  add_bit_depth(command, flags->bit_depth);
  add_view_flags(command, flags->views);
  add_batch_size(command, flags->batch_size);
  add_training_flags(command, flags->training);
  command.group_flags();
  command.set_job([flags, command] { pretrain(*flags, command.settings()); });
}

}  // namespace apps
