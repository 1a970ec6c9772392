// pixpro pretrain: from a folder of images to a pre-trained backbone.
#include <filesystem>
#include <iostream>
#include <map>
#include <memory>
#include <optional>

#include "apps/commands/commands.h"
#include "apps/flags/recipe.h"
#include "apps/flags/view_flags.h"
#include "apps/interrupts.h"
#include "apps/output_folder.h"
#include "apps/progress.h"
#include "pixpro/data/batches/device_views.h"
#include "pixpro/data/batches/loader.h"
#include "pixpro/report/pair_picture.h"
#include "pixpro/train/checkpoint.h"
#include "pixpro/weights/weights.h"

namespace apps {
namespace {

namespace fs = std::filesystem;

struct PretrainFlags {
  Recipe recipe;
  fs::path data_dir;
  bool zip = false;
  pixpro::CacheMode cache_mode = pixpro::CacheMode::no;
  std::optional<int64_t> max_broken;
  fs::path output_dir = "output";
  ViewFlags views;
  int64_t batch_size = 128;
  int num_workers = 4;
  int64_t save_freq = 10;
  std::optional<fs::path> resume;
  bool auto_resume = false;
};

fs::path newest_checkpoint(const PretrainFlags& flags) {
  return flags.output_dir / "current.safetensors";
}

// What the run goes on from, where it is not a new one.
std::optional<engine::TensorFile> checkpoint_to_resume(const PretrainFlags& flags) {
  const fs::path newest = newest_checkpoint(flags);
  if (flags.auto_resume && fs::exists(newest)) return engine::read_tensor_file(newest);
  if (flags.resume) return engine::read_tensor_file(*flags.resume);
  return std::nullopt;
}

pixpro::Settings settings_of(const PretrainFlags& flags, int64_t images) {
  pixpro::Settings settings = settings_of(flags.recipe);
  settings["images"] = std::to_string(images);
  settings["--batch-size"] = std::to_string(flags.batch_size);
  settings.merge(settings_of(flags.views));
  return settings;
}

pixpro::LoaderOptions loader_options(const PretrainFlags& flags, const pixpro::RunState& run) {
  return {.plan = {.batch_size = flags.batch_size},
          .recipe = flags.views.recipe(),
          .image_size = flags.views.image_size,
          .seed = flags.recipe.seed,
          .workers = flags.num_workers,
          .first_step = static_cast<int64_t>(run.steps.size()),
          .known_broken = run.broken_images,
          .max_broken = flags.max_broken,
          .raw = flags.views.on_gpu()};
}

RunLength run_length(const Recipe& recipe, int64_t steps_per_epoch) {
  const double per_epoch = static_cast<double>(steps_per_epoch);
  return {.total_steps = recipe.epochs * steps_per_epoch,
          .warmup_steps = static_cast<int64_t>(recipe.warmup_epoch * per_epoch),
          .steps_per_epoch = per_epoch};
}

// Where batches come from.
struct Images {
  pixpro::Loader loader;
  std::optional<pixpro::DeviceViews> gpu = {};  // finishes the loader's views
};

// Reports broken images as they are met and adds them to those of the run.
void report_broken(pixpro::Loader& loader, std::vector<int64_t>& broken) {
  for (const pixpro::BrokenImage& image : loader.take_broken()) {
    std::cerr << "pixpro: skipped: " << image.reason << '\n';
    broken.push_back(image.sample);
  }
}

// The next batch. Whatever ends the run, the broken images met before are reported.
pixpro::Batch next_batch(Images& images, std::vector<int64_t>& broken) {
  try {
    pixpro::Batch batch = images.loader.next();
    report_broken(images.loader, broken);
    if (images.gpu) batch.views = images.gpu->finish(batch.views);
    return batch;
  } catch (...) {
    report_broken(images.loader, broken);
    throw;
  }
}

// The training itself. A step's numbers are asked for when the next one has been started, so that
// a GPU never waits for the host; only in front of a checkpoint are they waited for.
void train(const PretrainFlags& flags, Images& images, pixpro::Trainer& trainer,
           int64_t total_steps, const pixpro::Settings& settings, pixpro::RunState& run) {
  Progress progress({flags.batch_size, flags.recipe.epochs, total_steps},
                    flags.output_dir / "metrics.jsonl", run.steps);
  const Interrupts interrupts;
  struct Started {
    pixpro::StepRecord record;
    Progress::Clock::time_point begun;
    double waited;  // seconds, for its images
  };
  std::optional<Started> started;
  const auto finish = [&](std::optional<Progress::Clock::time_point> next_begun = {}) {
    if (!started) return;
    started->record.result = trainer.finish_step();
    const auto end = next_begun.value_or(Progress::Clock::now());
    progress.add(started->record, end - started->begun, started->waited);
    started.reset();
  };
  while (trainer.steps_done() < total_steps) {
    const auto begun = Progress::Clock::now();
    const double before = images.loader.wait_seconds();
    const pixpro::Batch batch = next_batch(images, run.broken_images);
    trainer.start_step(batch.views, batch.boxes);
    finish(begun);  // a step takes from its own begin to the next one's
    const auto broken = static_cast<int64_t>(run.broken_images.size());
    started = {.record = {.epoch = batch.epoch, .broken_images = broken},
               .begun = begun,
               .waited = images.loader.wait_seconds() - before};

    const int64_t done = trainer.steps_done();
    const bool stop = interrupts.arrived() && done < total_steps;
    const bool due = done % (flags.save_freq * images.loader.steps_per_epoch()) == 0;
    if (!stop && !due && done < total_steps) continue;
    finish();
    write_checkpoint(newest_checkpoint(flags), trainer, run, settings);
    engine::require(!stop, "interrupted after step ", done, " of ", total_steps,
                    "; the same command with --auto-resume goes on from '",
                    newest_checkpoint(flags).string(), "'");
  }
}

// What the run needed of the GPU's memory; what is free but in small pieces is lost to large
// tensors.
void print_memory(engine::Device device) {
  const engine::MemoryStats memory = engine::allocator_of(device).stats();
  const auto mib = [](int64_t bytes) { return bytes >> 20; };
  std::cout << "memory   " << mib(memory.peak_bytes) << " MiB of tensors at the most, now "
            << mib(memory.current_bytes) << "; " << mib(memory.cached_bytes)
            << " MiB kept free in pieces of up to " << mib(memory.largest_cached) << " MiB\n";
}

void pretrain(const PretrainFlags& flags) {
  engine::require(flags.views.aug != "val",
                  "--aug val is for evaluation: both views would be the same picture; BYOL is the "
                  "paper's recipe");
  engine::require(
      !flags.views.on_gpu() || engine::parse_device(flags.recipe.device) != engine::kCpu,
      "--augment-on gpu needs a GPU to train on: add --device cuda, or leave the images to the "
      "workers with --augment-on cpu");
  use_machine(flags.recipe);
  const std::unique_ptr<pixpro::Source> source =
      with_cache(pixpro::open_source(flags.data_dir, flags.zip), flags.cache_mode);
  const pixpro::Settings settings = settings_of(flags, source->size());
  std::optional<engine::TensorFile> checkpoint = checkpoint_to_resume(flags);
  pixpro::RunState run;
  if (checkpoint) run = pixpro::run_of(*checkpoint, settings);
  const pixpro::LoaderOptions loading = loader_options(flags, run);
  Images images{.loader{*source, loading}};
  const int64_t steps_per_epoch = images.loader.steps_per_epoch();
  const RunLength length = run_length(flags.recipe, steps_per_epoch);
  const pixpro::TrainerOptions options = trainer_options(flags.recipe, flags.batch_size, length);
  pixpro::Trainer trainer(options);
  if (flags.views.on_gpu()) {
    images.gpu.emplace(options.device, options.precision, flags.views.image_size);
  }
  if (checkpoint) trainer.load_state(*checkpoint);
  checkpoint.reset();  // as large as the trainer
  const fs::path& out = flags.output_dir;
  make_output_folder(out);
  std::cout << source->size() << " images, " << steps_per_epoch << " steps of " << flags.batch_size
            << " an epoch, " << flags.recipe.epochs << " epochs\n";
  if (trainer.steps_done() > 0) {
    std::cout << "going on after step " << trainer.steps_done() << " of " << length.total_steps
              << '\n';
  }
  std::cout << std::flush;

  write_pair_picture(out / "views.png", *source, loading, flags.views.grid(),
                     options.model.pos_ratio);
  train(flags, images, trainer, length.total_steps, settings, run);
  write_tensor_file(out / "weights.safetensors", pixpro::weights_of(trainer.model()));

  std::cout << '\n';
  if (options.device != engine::kCpu) print_memory(options.device);
  std::cout << summary_text(pixpro::summarize(run.steps), options.model.out_channels) << '\n'
            << "weights  " << (out / "weights.safetensors").string() << '\n'
            << "metrics  " << (out / "metrics.jsonl").string() << '\n'
            << "picture  " << (out / "views.png").string() << std::endl;
}

}  // namespace

void add_pretrain(CLI::App& app) {
  auto flags = std::make_shared<PretrainFlags>();
  CLI::App* command = app.add_subcommand("pretrain", "Pre-train a backbone on a folder of images");
  command
      ->add_option("--data-dir", flags->data_dir,
                   "Folder of images at any depth, or a file made by pixpro pack")
      ->required();
  command->add_flag("--zip", flags->zip,
                    "The folder holds train.zip and train_map.txt (path, tab, label a line)");
  const std::map<std::string, pixpro::CacheMode> modes = {{"no", pixpro::CacheMode::no},
                                                          {"part", pixpro::CacheMode::part},
                                                          {"full", pixpro::CacheMode::full}};
  command
      ->add_option(
          "--cache-mode", flags->cache_mode,
          "Image files kept in memory once read: no, full: all, part: this process's share")
      ->transform(CLI::CheckedTransformer(modes))
      ->default_str("no");
  command
      ->add_option("--max-broken", flags->max_broken, "Stop when more images than this are broken")
      ->check(CLI::NonNegativeNumber);
  command->add_option("--output-dir", flags->output_dir, "Weights, metrics and picture go here")
      ->capture_default_str();
  add_view_flags(*command, flags->views);
  add_augment_on(*command, flags->views);
  command->add_option("--batch-size", flags->batch_size, "Images a step")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 20))
      ->capture_default_str();
  command->add_option("--num-workers", flags->num_workers, "Threads that read and augment images")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  command
      ->add_option("--save-freq", flags->save_freq,
                   "Epochs between two checkpoints; there is one at the end too")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 20))
      ->capture_default_str();
  command->add_option("--resume", flags->resume, "Checkpoint to go on from");
  command->add_flag("--auto-resume", flags->auto_resume,
                    "Go on from the checkpoint of the output folder, where there is one");
  add_model_flags(*command, flags->recipe);
  add_optimizer_flags(*command, flags->recipe);
  add_machine_flags(*command, flags->recipe);
  command->callback([flags] { pretrain(*flags); });
}

}  // namespace apps
