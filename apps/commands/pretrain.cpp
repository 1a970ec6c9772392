// pixpro pretrain: from a folder of images to a pre-trained backbone.
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>

#include "apps/commands/commands.h"
#include "apps/flags/source.h"
#include "apps/flags/training.h"
#include "apps/flags/views.h"
#include "apps/interrupts.h"
#include "apps/output_folder.h"
#include "apps/pretrained_model.h"
#include "apps/progress.h"
#include "apps/resumption.h"
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
  ViewFlags views;
  TrainingFlags training;
  int64_t batch_size = 128;
  int num_workers = 4;
  std::optional<int64_t> max_broken;
  fs::path output_dir = "output";
  int64_t save_freq = 10;
  std::optional<fs::path> resume;
  bool auto_resume = false;
  bool extend = false;
  std::optional<fs::path> pretrained_model;
};

void check(const PretrainFlags& flags) {
  engine::require(flags.views.aug != "val",
                  "--aug val is for evaluation: it would make both views the same image; BYOL is "
                  "the paper's recipe");
  engine::require(
      !flags.views.on_gpu() || device_of(flags.training.machine) != engine::kCpu,
      "--augment-on gpu needs a GPU to train on: add --device cuda, or leave the images to the "
      "workers with --augment-on cpu");
  engine::require(flags.views.grid() > 1 || flags.batch_size > 1, "a view of ",
                  flags.views.image_size,
                  " pixels has one cell, and batch normalisation needs more "
                  "than one value per channel: take a --batch-size of 2 or more");
  engine::require(!flags.extend || flags.resume || flags.auto_resume,
                  "--extend lengthens a run that is resumed: add --auto-resume or --resume FILE");
  engine::require(
      !flags.pretrained_model || !flags.resume,
      "--pretrained-model starts a new run, and --resume goes on with one: leave one of "
      "them out");
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

pixpro::LoaderOptions loader_options(const PretrainFlags& flags, const pixpro::RunState& state) {
  return {.plan = {.batch_size = flags.batch_size},
          .recipe = flags.views.recipe(),
          .image_size = flags.views.image_size,
          .seed = flags.training.machine.seed,
          .workers = flags.num_workers,
          .first_step = state.steps_done,
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
  pixpro::MetricsFile metrics(metrics_file(flags), state.history);
  if (state.steps_done > 0 && !metrics.continued()) {
    std::cout << "'" << metrics_file(flags).string() << "' does not hold the first "
              << state.steps_done << " steps, so a new one begins\n";
  }
  Progress progress(flags.training.optimizer.epochs, trainer.total_steps(), trainer.steps_done());
  const Interrupts interrupts;
  const int64_t save_steps = flags.save_freq * images.loader.steps_per_epoch();
  const pixpro::Interlude checkpoint{
      .due = [&](int64_t done, bool last) { return last || done % save_steps == 0; },
      .act =
          [&] {
            state.history = metrics.flush();
            write_checkpoint(newest_checkpoint(flags), trainer, state, settings);
          }};
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

void print_outcome(const PretrainFlags& flags, const pixpro::TrainerOptions& options) {
  std::cout << '\n';
  if (options.device != engine::kCpu) print_memory(options.device);
  if (const auto summary = pixpro::summarize(metrics_file(flags))) {
    std::cout << summary_text(*summary, options.model.out_channels) << '\n';
  }
  std::cout << "weights  " << weights_file(flags).string() << '\n'
            << "metrics  " << metrics_file(flags).string() << '\n'
            << "picture  " << picture_file(flags).string() << std::endl;
}

void pretrain(const PretrainFlags& flags, pixpro::Settings settings,
              const pixpro::Settings& defaults) {
  check(flags);
  const Threads threads = use_machine(flags.training.machine);
  sleep_if_cores_are_short(threads.count + flags.num_workers);
  const std::unique_ptr<pixpro::Source> source = open_images(flags.source);
  settings["images"] = std::to_string(source->size());
  std::optional<engine::TensorFile> checkpoint = checkpoint_to_resume(flags);
  Resumption resumption;
  if (checkpoint) {
    resumption =
        resume(*checkpoint, settings, defaults, flags.training.optimizer.epochs, flags.extend);
  }
  pixpro::RunState& state = resumption.run.state;

  const pixpro::LoaderOptions loading = loader_options(flags, state);
  Images images{.loader{*source, loading}};
  const RunLength length = run_length(flags.training.optimizer, images.loader.steps_per_epoch());
  const pixpro::TrainerOptions options = trainer_options(flags.training, flags.batch_size, length);
  pixpro::Trainer trainer(options);
  if (checkpoint) {
    trainer.load_state(*checkpoint);
  } else if (flags.pretrained_model) {
    start_from_pretrained(*flags.pretrained_model, trainer);
  }
  checkpoint.reset();  // as large as the trainer
  if (flags.views.on_gpu()) {
    images.gpu.emplace(options.device, options.precision, flags.views.image_size);
  }

  make_output_folder(flags.output_dir);
  announce(flags, threads, *source, images.loader, trainer);
  std::cout << warm_up_note(flags.training.optimizer, options.schedule)
            << extension_note(resumption, flags.training.optimizer, options) << std::flush;
  if (!resumption.run.steps.empty()) {
    state.history = write_history(metrics_file(flags), resumption.run.steps);
  }
  write_pair_picture(picture_file(flags), *source, loading, flags.views.grid(),
                     options.model.pos_ratio);
  train(flags, images, trainer, settings, state);
  write_tensor_file(weights_file(flags), pixpro::weights_of(trainer.model()));
  print_outcome(flags, options);
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
  command.add("--extend", &flags->extend, ChangesNumbers::no,
              "Let a resumed run go on to more --epochs than it began with");
  command.add("--pretrained-model", &flags->pretrained_model, ChangesNumbers::no,
              "Weights, or a checkpoint of another run, from which a new run starts");
  add_view_flags(command, flags->views);
  add_batch_size(command, flags->batch_size);
  add_training_flags(command, flags->training);
  command.group_flags();
  command.set_job(
      [flags, command] { pretrain(*flags, command.settings(), command.default_settings()); });
}

}  // namespace apps
