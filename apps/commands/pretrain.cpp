// pixpro pretrain: from a folder of images to a pre-trained backbone.
#include "apps/flags/pretrain.h"

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>

#include "apps/commands/commands.h"
#include "apps/console.h"
#include "apps/interrupts.h"
#include "apps/ranks/agreement.h"
#include "apps/run/announcements.h"
#include "apps/run/batches.h"
#include "apps/run/beginning.h"
#include "apps/run/progress.h"
#include "apps/run/saves.h"
#include "pixpro/data/background_threads.h"
#include "pixpro/report/metrics_file.h"
#include "pixpro/report/pair_picture.h"
#include "pixpro/train/checkpoint.h"
#include "pixpro/train/run.h"
#include "pixpro/weights/weights.h"

namespace apps {
namespace {

namespace fs = std::filesystem;

// What all ranks of this process use.
class Shared {
 public:
  Shared(const Command& command_, const RankPlan& plan, Interrupts& interrupts_)
      : command(command_), interrupts(interrupts_), plan_(plan) {}

  const Command& command;
  Interrupts& interrupts;

  // The images, which the first rank that asks for them opens. The process caches its share.
  std::shared_ptr<const pixpro::Source> images(const PretrainFlags& flags) {
    std::call_once(opened_, [&] {
      images_ =
          open_images(flags.source, {flags.output_dir, RunFolder::picture_in(flags.output_dir)},
                      plan_.launch.rank, plan_.launch.count);
    });
    return images_;
  }

 private:
  const RankPlan& plan_;
  std::once_flag opened_;
  std::shared_ptr<const pixpro::Source> images_;
};

// What rank 0 writes down for all.
struct Records {
  const RunFolder& folder;
  pixpro::MetricsFile metrics;
  Saves saves;
  Progress progress;
  std::exception_ptr failure{};  // of writing metrics

  Records(const RunFolder& run_folder, Beginning& begin, pixpro::Trainer& trainer,
          const pixpro::Source& source, int64_t epochs)
      : folder(run_folder),
        metrics(open_metrics(folder, begin.resumption, source.skipped())),
        saves(folder, trainer, begin.resumption.run.state, begin.settings, metrics),
        progress(epochs, trainer.total_steps(), trainer.steps_done()) {}
};

pixpro::LoaderOptions loader_options(const PretrainFlags& flags, const Rank& rank,
                                     const Beginning& begin, const pixpro::Source& source) {
  return {.plan = {.batch_size = flags.batch_size,
                   .rank = rank.index,
                   .ranks = rank.count,
                   .micro_batches = flags.accumulate},
          .recipe = flags.views.recipe(),
          .image_size = flags.views.image_size,
          .seed = flags.training.machine.seed,
          .workers = flags.num_workers,
          .decoding = begin.decoding,
          .first_step = begin.resumption.run.state.steps_done,
          .max_broken = rank.count == 1 ? flags.max_broken : source.size(),
          .patience = patience_of(flags.reading),
          .decode_memory_bytes = decode_memory_bytes(flags.reading) / rank.local_count,
          .raw = flags.views.on_gpu()};
}

// Trains to the last step and writes the weights. Whatever ends the run earlier, a checkpoint is
// saved, and the error says how to go on. records: null if this is not rank 0.
void train(const PretrainFlags& flags, const Rank& rank, Batches& batches, pixpro::Trainer& trainer,
           pixpro::RunState& state, const Interrupts& interrupts, Records* records) {
  const int64_t epoch = batches.loader.steps_per_epoch(), period = flags.save_freq * epoch;
  bool save_failed = false;
  const auto save = [&](bool last) {
    const Interrupts::Saving saving;  // other ranks must not end either while rank 0 saves
    const std::string failed = on_rank_zero(rank, [&] {
      records->saves.save(last);
      return records->saves.failed() ? "failed" : "";
    });
    save_failed = !failed.empty();
  };
  const auto record = [&](const pixpro::StepRecord& step) {
    if (records == nullptr) return;
    try {
      records->metrics.write(step);
    } catch (const std::exception&) {
      if (rank.count == 1) throw;
      records->failure = std::current_exception();  // all ranks stop first, and rank 0 saves
    }
    records->progress.show(step);
  };
  pixpro::TrainingRun run(
      trainer, state,
      {.next_batch = [&] { return batches.next(state.broken); },
       .wait_seconds = [&] { return batches.loader.wait_seconds(); },
       .record = record,
       .stop_requested =
           [&] { return interrupts.arrived() || (records != nullptr && records->failure); },
       .broken_of_ranks = [&] { return batches.broken_of_ranks->exchange(rank); },
       .interludes = {{.due =
                           [&](int64_t done, bool last) {
                             return last || done % (save_failed ? epoch : period) == 0;
                           },
                       .act = save}}});
  bool complete = false;
  try {
    complete = run.train();
    if (records != nullptr && records->failure) std::rethrow_exception(records->failure);
    if (complete) {
      const Interrupts::Saving saving;
      on_rank_zero(rank, [&] {
        records->folder.lock().require_held();
        write_tensor_file(records->folder.weights(), pixpro::weights_of(trainer.model()));
        return "";
      });
    }
  } catch (const std::exception& error) {
    if (records == nullptr) throw;
    const std::string text = error.what() + ("; " + records->saves.how_to_go_on());
    if (pixpro::is_shared(error)) throw pixpro::SharedError(text);
    throw engine::Error(text);
  }
  if (complete) return;
  if (records == nullptr) throw Stopped("interrupted");  // rank 0 says more
  throw Stopped("interrupted after step " + std::to_string(trainer.steps_done()) + " of " +
                std::to_string(trainer.total_steps()) + "; " + records->saves.how_to_go_on());
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

// The response to a signal before the first step: there is nothing to save.
void end_at_once(int) {
  engine::remove_temporaries();
  warn("interrupted before the first step; the same command starts again");
  finish_output();
  std::_Exit(kInterruptedStatus);
}

// The folder of a run that rank 0 has. It also decides from which checkpoint the run goes on.
struct Place {
  std::optional<RunFolder> folder{};
  std::optional<fs::path> resumed{};

  Place(const PretrainFlags& flags, const Rank& rank) {
    const std::string found = on_rank_zero(rank, [&]() -> std::string {
      folder.emplace(flags.output_dir);
      const auto checkpoint = checkpoint_to_resume(flags, *folder);
      return checkpoint ? "from " + checkpoint->string() : "";
    });
    if (!found.empty()) resumed = found.substr(std::string("from ").size());
  }
};

// What must be the same on all ranks.
pixpro::Settings started_with(const PretrainFlags& flags, const Beginning& begin) {
  pixpro::Settings all = begin.settings;
  all["--save-freq"] = std::to_string(flags.save_freq);
  all["--max-broken"] = flags.max_broken ? std::to_string(*flags.max_broken) : "a tenth";
  all["--pretrained-model"] = flags.pretrained_model ? "given" : "not given";
  all["version"] = PIXPRO_VERSION;
  all["checkpoint of step"] = std::to_string(begin.resumption.run.state.steps_done);
  return all;
}

// One rank's part of the run.
void pretrain_as(const Rank& rank, const PretrainFlags& flags, Shared& shared) {
  const Place place(flags, rank);
  const auto source = shared.images(flags);
  Beginning begin = beginning_of(flags, place.resumed, *source, shared.command, rank.count);
  const std::string note = ranks_note(begin, rank.count, !flags.ranks.no_sync_bn);
  require_alike(rank, started_with(flags, begin));
  const pixpro::LoaderOptions loading = loader_options(flags, rank, begin, *source);
  Batches batches{.loader{source, loading}};
  const RunLength length = run_length(flags.training.optimizer, batches.loader.steps_per_epoch());
  pixpro::TrainerOptions options =
      trainer_options(flags.training, flags.batch_size * rank.count, length);
  options.accumulate = flags.accumulate;
  train_as(rank, flags.ranks, options);
  pixpro::Trainer trainer(options);
  load_beginning(flags, rank, begin.checkpoint, trainer);
  if (rank.count > 1) batches.broken_of_ranks.emplace(source->size(), flags.max_broken);
  if (flags.views.on_gpu()) {
    batches.gpu.emplace(options.device, options.precision, flags.views.image_size);
  }

  // From here on a signal ends the run after a step. A rank alone need not wait for its images.
  const Interrupts::Phase training(shared.interrupts, [&](int) {
    if (rank.count == 1) batches.loader.interrupt();
  });
  if (!rank.leads()) {
    return train(flags, rank, batches, trainer, begin.resumption.run.state, shared.interrupts,
                 nullptr);
  }
  const RunFolder& folder = *place.folder;
  set_aside_earlier_run(folder, place.resumed);
  announce(flags, rank, *source, batches.loader, trainer);
  say(note + warm_up_note(flags.training.optimizer, options.schedule) +
      extension_note(begin.resumption, flags.training.optimizer, options));
  const bool goes_on = place.resumed == folder.checkpoint();
  std::unique_ptr<pixpro::BackgroundThreads> picture;
  if (!goes_on || !fs::exists(folder.picture())) {
    picture = start_picture(folder.picture(), source, loading, flags.views.grid(),
                            options.model.pos_ratio);
  }
  Records records(folder, begin, trainer, *source, flags.training.optimizer.epochs);
  if (goes_on) records.saves.note_saved();
  train(flags, rank, batches, trainer, begin.resumption.run.state, shared.interrupts, &records);
  if (picture) picture->wait(std::chrono::seconds(10));
  report_outcome(folder, options, batches);
}

void pretrain(PretrainFlags flags, const Command& command) {
  const RankPlan plan = plan_ranks(flags.training.machine);
  divide_batch(flags, plan.count());
  check(flags, plan.count());
  sleep_if_cores_are_short(busy_threads(plan, flags.num_workers));
  Interrupts interrupts(end_at_once);
  Shared shared(command, plan, interrupts);
  on_ranks(plan, [&](const Rank& rank) { pretrain_as(rank, flags, shared); });
}

}  // namespace

void add_pretrain(CLI::App& app) {
  auto flags = std::make_shared<PretrainFlags>();
  Command command(app, "pretrain", "Pre-train a backbone on a folder of images");
  add_pretrain_flags(command, *flags);
  command.group_flags();
  command.set_job_for_ranks([flags, command] { pretrain(*flags, command); });
}

}  // namespace apps
