// pixpro pretrain: from a folder of images to a pre-trained backbone.
#include <chrono>
#include <filesystem>
#include <iostream>
#include <map>
#include <memory>
#include <optional>

#include "apps/commands.h"
#include "apps/output_folder.h"
#include "apps/recipe.h"
#include "apps/view_flags.h"
#include "pixpro/data/loader.h"
#include "pixpro/train/metrics.h"
#include "pixpro/train/pair_picture.h"
#include "pixpro/train/weights.h"

namespace apps {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

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
};

double seconds_between(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

pixpro::LoaderOptions loader_options(const PretrainFlags& flags) {
  return {.plan = {.batch_size = flags.batch_size},
          .recipe = flags.views.recipe(),
          .image_size = flags.views.image_size,
          .seed = flags.recipe.seed,
          .workers = flags.num_workers,
          .max_broken = flags.max_broken};
}

RunLength run_length(const Recipe& recipe, int64_t steps_per_epoch) {
  const double per_epoch = static_cast<double>(steps_per_epoch);
  return {.total_steps = recipe.epochs * steps_per_epoch,
          .warmup_steps = static_cast<int64_t>(recipe.warmup_epoch * per_epoch),
          .steps_per_epoch = per_epoch};
}

// Reports broken images as they are met and counts them.
int64_t report_broken(pixpro::Loader& loader) {
  const std::vector<pixpro::BrokenImage> broken = loader.take_broken();
  for (const pixpro::BrokenImage& image : broken) {
    std::cerr << "pixpro: skipped: " << image.reason << '\n';
  }
  return static_cast<int64_t>(broken.size());
}

// The next batch. Whatever ends the run, the broken images met before are reported.
pixpro::Batch next_batch(pixpro::Loader& loader, int64_t& broken) {
  try {
    pixpro::Batch batch = loader.next();
    broken += report_broken(loader);
    return batch;
  } catch (...) {
    report_broken(loader);
    throw;
  }
}

// What has been trained so far, as it is written down and printed.
class Progress {
 public:
  Progress(const PretrainFlags& flags, int64_t total_steps)
      : flags_(flags), total_steps_(total_steps), metrics_(flags.output_dir / "metrics.jsonl") {}

  // Every step is recorded, about one a second is printed. waited: seconds, for images.
  void add(pixpro::StepRecord record, double waited) {
    const Clock::time_point now = Clock::now();
    const double seconds = seconds_between(last_, now);
    last_ = now;
    record.images_per_second = static_cast<double>(flags_.batch_size) / seconds;
    record.wait_fraction = waited / seconds;
    skipped_ += record.result.skipped ? 1 : 0;
    record.skipped_steps = skipped_;
    metrics_.write(record);
    steps_.push_back(record.result);
    const auto done = static_cast<int64_t>(steps_.size());
    if (seconds_between(printed_, now) < 1.0 && done < total_steps_) return;
    printed_ = now;
    const double left = seconds_between(start_, now) * static_cast<double>(total_steps_ - done) /
                        static_cast<double>(done);
    std::cout << progress_line(record, flags_.recipe.epochs, total_steps_, left) << std::endl;
  }

  const std::vector<pixpro::StepResult>& steps() const { return steps_; }

 private:
  const PretrainFlags& flags_;
  int64_t total_steps_;
  pixpro::MetricsFile metrics_;
  std::vector<pixpro::StepResult> steps_;
  int64_t skipped_ = 0;
  const Clock::time_point start_ = Clock::now();
  Clock::time_point last_ = start_, printed_{};
};

// The training itself. A step's numbers are asked for when the next one has been started, so that
// a GPU never waits for the host.
std::vector<pixpro::StepResult> train(const PretrainFlags& flags, pixpro::Loader& loader,
                                      pixpro::Trainer& trainer, int64_t total_steps) {
  Progress progress(flags, total_steps);
  std::optional<pixpro::StepRecord> started;
  double waited = 0.0;  // for the images of the step that is started
  const auto finish = [&] {
    started->result = trainer.finish_step();
    progress.add(*started, waited);
  };
  int64_t broken = 0;
  while (trainer.steps_done() < total_steps) {
    const double before = loader.wait_seconds();
    const pixpro::Batch batch = next_batch(loader, broken);
    trainer.start_step(batch.views, batch.coords);
    if (started) finish();
    started = {.epoch = batch.epoch, .broken_images = broken};
    waited = loader.wait_seconds() - before;
  }
  if (started) finish();
  return progress.steps();
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
  use_machine(flags.recipe);
  const std::unique_ptr<pixpro::Source> source =
      with_cache(pixpro::open_source(flags.data_dir, flags.zip), flags.cache_mode);
  pixpro::Loader loader(*source, loader_options(flags));
  const RunLength length = run_length(flags.recipe, loader.steps_per_epoch());
  const pixpro::TrainerOptions options = trainer_options(flags.recipe, flags.batch_size, length);
  pixpro::Trainer trainer(options);
  const fs::path& out = flags.output_dir;
  make_output_folder(out);
  std::cout << source->size() << " images, " << loader.steps_per_epoch() << " steps of "
            << flags.batch_size << " an epoch, " << flags.recipe.epochs << " epochs" << std::endl;

  write_pair_picture(out / "views.png", *source, loader_options(flags), flags.views.grid(),
                     options.model.pos_ratio);
  const std::vector<pixpro::StepResult> steps = train(flags, loader, trainer, length.total_steps);
  write_tensor_file(out / "weights.safetensors", pixpro::weights_of(trainer.model()));

  std::cout << '\n';
  if (options.device != engine::kCpu) print_memory(options.device);
  std::cout << summary_text(pixpro::summarize(steps), options.model.out_channels) << '\n'
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
  command->add_option("--batch-size", flags->batch_size, "Images a step")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 20))
      ->capture_default_str();
  command->add_option("--num-workers", flags->num_workers, "Threads that read and augment images")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  add_model_flags(*command, flags->recipe);
  add_optimizer_flags(*command, flags->recipe);
  add_machine_flags(*command, flags->recipe);
  command->callback([flags] { pretrain(*flags); });
}

}  // namespace apps
