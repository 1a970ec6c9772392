// pixpro pretrain: from a folder of images to a pre-trained backbone.
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <sstream>

#include "apps/batches.h"
#include "apps/commands/commands.h"
#include "apps/console.h"
#include "apps/flags/bit_depth.h"
#include "apps/flags/reading.h"
#include "apps/flags/source.h"
#include "apps/flags/training.h"
#include "apps/flags/views.h"
#include "apps/interrupts.h"
#include "apps/output_folder.h"
#include "apps/pretrained_model.h"
#include "apps/progress.h"
#include "apps/resumption.h"
#include "apps/saves.h"
#include "pixpro/data/background_threads.h"
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
  ReadingFlags reading;
  BitDepthFlag bit_depth;
  ViewFlags views;
  TrainingFlags training;
  int64_t batch_size = 128;
  int num_workers = 4;
  std::optional<int64_t> max_broken;
  fs::path output_dir = "output";
  int64_t save_freq = 10;
  std::optional<fs::path> resume;
  bool auto_resume = false, overwrite = false, extend = false;
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

// The checkpoint that the run goes on from; none for a new run. A folder that holds the checkpoint
// of another run is refused unless that is to be set aside.
std::optional<fs::path> checkpoint_to_resume(const PretrainFlags& flags, const RunFolder& folder) {
  if (const auto& before = folder.lock().taken_from()) {
    say("the folder " + flags.output_dir.string() + " was in use by " + *before +
        ", which has ended\n");
  }
  const fs::path own = folder.checkpoint();
  if (fs::exists(own)) {
    std::error_code ignored;  // a file that is missing is not the same
    if (flags.auto_resume || (flags.resume && fs::equivalent(own, *flags.resume, ignored))) {
      return own;
    }
    engine::require(flags.overwrite, "'", own.string(),
                    "' is the checkpoint of an earlier run: add --auto-resume to go on from it, or "
                    "--overwrite to start anew and keep the earlier run's files in a folder beside "
                    "it, or choose another --output-dir");
  }
  return flags.resume;
}

// Keeps the files of an earlier run if this one does not go on from it.
void set_aside_earlier_run(const RunFolder& folder, const std::optional<fs::path>& resumed) {
  if (resumed == folder.checkpoint()) return;
  const bool earlier = fs::exists(folder.checkpoint()) || fs::exists(folder.weights()) ||
                       (resumed && fs::exists(folder.metrics()));
  if (!earlier) return;
  const Interrupts::Saving saving;
  say("the files of an earlier run are now in " + folder.set_aside().string() + "\n");
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
          .first_step = state.steps_done,
          .max_broken = flags.max_broken,
          .patience = patience_of(flags.reading),
          .decode_memory_bytes = decode_memory_bytes(flags.reading),
          .raw = flags.views.on_gpu()};
}

// Trains to the last step and writes the weights. Whatever ends the run earlier, a checkpoint is
// saved, and the error says how to go on.
void train(const PretrainFlags& flags, const RunFolder& folder, Batches& batches,
           pixpro::Trainer& trainer, pixpro::RunState& state, const Interrupts& interrupts,
           pixpro::MetricsFile& metrics, Saves& saves) {
  Progress progress(flags.training.optimizer.epochs, trainer.total_steps(), trainer.steps_done());
  const int64_t epoch = batches.loader.steps_per_epoch(), period = flags.save_freq * epoch;
  const pixpro::Interlude checkpoint{
      .due = [&](int64_t done,
                 bool last) { return last || done % (saves.failed() ? epoch : period) == 0; },
      .act = [&](bool last) { saves.save(last); }};
  const auto record = [&](const pixpro::StepRecord& step) {
    metrics.write(step);
    progress.show(step);
  };
  pixpro::TrainingRun run(trainer, state,
                          {.next_batch = [&] { return batches.next(state.broken); },
                           .wait_seconds = [&] { return batches.loader.wait_seconds(); },
                           .record = record,
                           .stop_requested = [&] { return interrupts.arrived(); },
                           .interludes = {checkpoint}});
  bool complete = false;
  try {
    complete = run.train();
    if (complete) {
      const Interrupts::Saving saving;
      folder.lock().require_held();
      write_tensor_file(folder.weights(), pixpro::weights_of(trainer.model()));
    }
  } catch (const std::exception& error) {
    engine::fail(error.what(), "; ", saves.how_to_go_on());
  }
  if (complete) return;
  throw Stopped("interrupted after step " + std::to_string(trainer.steps_done()) + " of " +
                std::to_string(trainer.total_steps()) + "; " + saves.how_to_go_on());
}

// Makes the picture on the side. It is a decoration: if it fails, a line says so, and that is all.
std::unique_ptr<pixpro::BackgroundThreads> start_picture(
    const fs::path& path, const std::shared_ptr<const pixpro::Source>& source,
    const pixpro::LoaderOptions& options, int64_t grid, double pos_ratio) {
  const auto fail = [path](const std::exception& error) {
    warn(path.string() + " is missing, which does no harm: " + error.what());
  };
  try {
    return std::make_unique<pixpro::BackgroundThreads>(1, [=](const std::stop_token&) {
      try {
        write_pair_picture(path, *source, options, grid, pos_ratio);
      } catch (const std::exception& error) {
        fail(error);
      }
    });
  } catch (const std::exception& error) {
    fail(error);
    return nullptr;
  }
}

void announce(const PretrainFlags& flags, const Threads& threads, const pixpro::Source& source,
              const pixpro::Loader& loader, const pixpro::Trainer& trainer) {
  std::ostringstream text;
  text << source.size() << " images, " << loader.steps_per_epoch() << " steps of "
       << flags.batch_size << " images per epoch, " << flags.training.optimizer.epochs
       << " epochs\n";
  if (const std::string skipped = source.skipped().text(); !skipped.empty()) {
    text << skipped << '\n';
  }
  text << "threads: " << threads.count << " for computing (" << threads.reason << "), "
       << flags.num_workers << " for loading images\n";
  if (trainer.steps_done() > 0) {
    text << "going on after step " << trainer.steps_done() << " of " << trainer.total_steps()
         << '\n';
  }
  say(text.str());
}

// How much of the GPU's memory the run needed. Free memory in small pieces is of no use to large
// tensors.
void write_memory(std::ostream& out, engine::Device device) {
  const engine::MemoryStats memory = engine::allocator_of(device).stats();
  const auto mib = [](int64_t bytes) { return bytes >> 20; };
  out << "memory   tensors: " << mib(memory.peak_bytes) << " MiB at the peak, "
      << mib(memory.current_bytes) << " MiB now; free: " << mib(memory.cached_bytes)
      << " MiB in pieces of up to " << mib(memory.largest_cached) << " MiB\n";
}

void report_outcome(const RunFolder& folder, const pixpro::TrainerOptions& options,
                    const pixpro::Loader& loader) {
  std::ostringstream text;
  text << '\n';
  if (const std::string broken = loader.broken_summary(); !broken.empty()) {
    text << "broken   " << broken << '\n';
  }
  if (options.device != engine::kCpu) write_memory(text, options.device);
  if (const auto summary = pixpro::summarize(folder.metrics())) {
    text << summary_text(*summary, options.model.out_channels) << '\n';
  }
  text << "weights  " << folder.weights().string() << '\n'
       << "metrics  " << folder.metrics().string() << '\n';
  if (fs::exists(folder.picture())) text << "picture  " << folder.picture().string() << '\n';
  say(text.str());
}

// The response to a signal before the first step: there is nothing to save.
void end_at_once(int) {
  engine::remove_temporaries();
  warn("interrupted before the first step; the same command starts again");
  finish_output();
  std::_Exit(kInterruptedStatus);
}

// What a run begins with. A run may be new or go on from a checkpoint.
struct Beginning {
  std::optional<engine::TensorFile> checkpoint{};
  pixpro::DecodeOptions decoding{};
  Resumption resumption{};      // if there is a checkpoint
  pixpro::Settings settings{};  // for the checkpoints to come
};

Beginning beginning_of(const PretrainFlags& flags, const std::optional<fs::path>& resumed,
                       const pixpro::Source& source, const Command& command) {
  Beginning begin;
  begin.settings = command.settings();
  const pixpro::Settings images = image_settings(source);
  if (resumed) {
    begin.checkpoint = engine::read_tensor_file(*resumed);
    require_same_images(*begin.checkpoint, images);
  }
  begin.decoding = decode_options(bit_depth_of(flags, begin.checkpoint), source);
  begin.settings[kBitDepth] = std::to_string(begin.decoding.bit_depth);
  if (resumed) {
    begin.resumption = resume(*begin.checkpoint, begin.settings, command.default_settings(),
                              flags.training.optimizer.epochs, flags.extend);
  }
  begin.settings.insert(images.begin(), images.end());
  return begin;
}

// Loads the weights from which the run begins, if they are not to be random.
void load_beginning(const PretrainFlags& flags, std::optional<engine::TensorFile>& checkpoint,
                    pixpro::Trainer& trainer) {
  if (checkpoint) {
    trainer.load_state(*checkpoint);
    checkpoint.reset();  // it is as large as the trainer
  } else if (flags.pretrained_model) {
    start_from_pretrained(*flags.pretrained_model, trainer);
  }
}

void pretrain(const PretrainFlags& flags, const Command& command) {
  check(flags);
  const Threads threads = use_machine(flags.training.machine);
  sleep_if_cores_are_short(threads.count + flags.num_workers);
  Interrupts interrupts(end_at_once);
  const RunFolder folder(flags.output_dir);
  const std::optional<fs::path> resumed = checkpoint_to_resume(flags, folder);
  const std::shared_ptr<const pixpro::Source> source =
      open_images(flags.source, {flags.output_dir, folder.picture()});
  Beginning begin = beginning_of(flags, resumed, *source, command);
  pixpro::RunState& state = begin.resumption.run.state;

  const pixpro::LoaderOptions loading = loader_options(flags, state, begin.decoding);
  Batches batches{.loader{source, loading}};
  const RunLength length = run_length(flags.training.optimizer, batches.loader.steps_per_epoch());
  const pixpro::TrainerOptions options = trainer_options(flags.training, flags.batch_size, length);
  pixpro::Trainer trainer(options);
  load_beginning(flags, begin.checkpoint, trainer);
  if (flags.views.on_gpu()) {
    batches.gpu.emplace(options.device, options.precision, flags.views.image_size);
  }

  // From here on a signal ends the run after the running step, or while it waits for images.
  const Interrupts::Phase training(interrupts, [&](int) { batches.loader.interrupt(); });
  set_aside_earlier_run(folder, resumed);
  announce(flags, threads, *source, batches.loader, trainer);
  say(warm_up_note(flags.training.optimizer, options.schedule) +
      extension_note(begin.resumption, flags.training.optimizer, options));
  const bool goes_on = resumed == folder.checkpoint();
  std::unique_ptr<pixpro::BackgroundThreads> picture;
  if (!goes_on || !fs::exists(folder.picture())) {
    picture = start_picture(folder.picture(), source, loading, flags.views.grid(),
                            options.model.pos_ratio);
  }
  pixpro::MetricsFile metrics = open_metrics(folder, begin.resumption, source->skipped());
  Saves saves(folder, trainer, state, begin.settings, metrics);
  if (goes_on) saves.note_saved();
  train(flags, folder, batches, trainer, state, interrupts, metrics, saves);
  if (picture) picture->wait(std::chrono::seconds(10));
  report_outcome(folder, options, batches.loader);
}

}  // namespace

void add_pretrain(CLI::App& app) {
  auto flags = std::make_shared<PretrainFlags>();
  Command command(app, "pretrain", "Pre-train a backbone on a folder of images");
  add_source_flags(command, flags->source);
  command.add(
      "--max-broken", &flags->max_broken, ChangesNumbers::no,
      "Stop if more images than this are broken; without the flag, if more than a tenth are",
      CLI::NonNegativeNumber);
  add_reading_flags(command, flags->reading);
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
  command
      .add("--overwrite", &flags->overwrite, ChangesNumbers::no,
           "Start anew in a folder with a checkpoint; the earlier run's files are moved into a "
           "folder in it, previous.1, previous.2, ...")
      ->excludes("--auto-resume");
  command.add("--extend", &flags->extend, ChangesNumbers::no,
              "Let a resumed run go on to more --epochs than it began with");
  command.add("--pretrained-model", &flags->pretrained_model, ChangesNumbers::no,
              "Weights, or a checkpoint of another run, from which a new run starts");
  add_view_flags(command, flags->views);
  add_batch_size(command, flags->batch_size);
  add_training_flags(command, flags->training);
  command.group_flags();
  command.set_job([flags, command] { pretrain(*flags, command); });
}

}  // namespace apps
