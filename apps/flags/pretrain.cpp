#include "apps/flags/pretrain.h"

#include "apps/ranks/bad_start.h"

namespace apps {

void add_pretrain_flags(Command& command, PretrainFlags& flags) {
  add_source_flags(command, flags.source);
  command.add(
      "--max-broken", &flags.max_broken, ChangesNumbers::no,
      "Stop if more images than this are broken; without the flag, if more than a tenth are",
      CLI::NonNegativeNumber);
  add_reading_flags(command, flags.reading);
  command.add("--num-workers", &flags.num_workers, ChangesNumbers::no,
              "Threads that read and augment images", CLI::Range(1, 1024));
  add_augment_on(command, flags.views);
  command.add("--output-dir", &flags.output_dir, ChangesNumbers::no,
              "Folder for weights, metrics, checkpoint and picture");
  command.add("--save-freq", &flags.save_freq, ChangesNumbers::no,
              "Epochs between two checkpoints; there is always one at the end",
              CLI::Range(int64_t{1}, int64_t{1} << 20));
  command.add("--resume", &flags.resume, ChangesNumbers::no, "Checkpoint to go on from");
  command.add("--auto-resume", &flags.auto_resume, ChangesNumbers::no,
              "Go on from the checkpoint in the output folder if there is one");
  add_bit_depth(command, flags.bit_depth);
  command
      .add("--overwrite", &flags.overwrite, ChangesNumbers::no,
           "Start anew in a folder with a checkpoint; the earlier run's files are moved into a "
           "folder in it, previous.1, previous.2, ...")
      ->excludes("--auto-resume");
  command.add("--extend", &flags.extend, ChangesNumbers::no,
              "Let a resumed run go on to more --epochs than it began with");
  command.add("--pretrained-model", &flags.pretrained_model, ChangesNumbers::no,
              "Weights, or a checkpoint of another run, from which a new run starts");
  add_view_flags(command, flags.views);
  add_batch_size(command, flags.batch_size);
  command
      .add("--total-batch-size", &flags.total_batch_size, ChangesNumbers::no,
           "Images per step of all ranks together, instead of --batch-size",
           CLI::Range(int64_t{1}, int64_t{1} << 20))
      ->excludes("--batch-size");
  command.add("--accumulate", &flags.accumulate, ChangesNumbers::yes,
              "Micro-batches per step (gradient accumulation), for batches that do not fit into "
              "memory; must divide the batch size",
              CLI::Range(int64_t{1}, int64_t{1} << 20));
  add_training_flags(command, flags.training);
  add_rank_flags(command, flags.ranks);
}

void check(const PretrainFlags& flags, int ranks) {
  engine::require(flags.views.aug != "val",
                  "--aug val is for evaluation: it would make both views the same image; BYOL is "
                  "the paper's recipe");
  engine::require(
      !flags.views.on_gpu() || device_of(flags.training.machine) != engine::kCpu,
      "--augment-on gpu needs a GPU to train on: add --device cuda, or leave the images to the "
      "workers with --augment-on cpu");
  require_start(flags.batch_size % flags.accumulate == 0, "--accumulate ", flags.accumulate,
                " does not divide the ", flags.batch_size, " images per step and rank");
  const int64_t normalised =
      flags.batch_size / flags.accumulate * (flags.ranks.no_sync_bn ? 1 : ranks);
  engine::require(flags.views.grid() > 1 || normalised > 1, "a view of ", flags.views.image_size,
                  " pixels has one cell, and batch normalisation needs more than one value per "
                  "channel: take a --batch-size of 2 or more per micro-batch");
  engine::require(!flags.extend || flags.resume || flags.auto_resume,
                  "--extend lengthens a run that is resumed: add --auto-resume or --resume FILE");
  engine::require(
      !flags.pretrained_model || !flags.resume,
      "--pretrained-model starts a new run, and --resume goes on with one: leave one of "
      "them out");
}

void divide_batch(PretrainFlags& flags, int ranks) {
  if (!flags.total_batch_size) return;
  const int64_t total = *flags.total_batch_size;
  require_start(total >= ranks, "--total-batch-size ", total,
                " is less than an image for each of the ", ranks, " ranks");
  require_start(total % ranks == 0, "--total-batch-size ", total, " does not divide into equal ",
                "batches for ", ranks, " ranks; the nearest that do are ", total / ranks * ranks,
                " and ", (total / ranks + 1) * ranks);
  flags.batch_size = total / ranks;
}

}  // namespace apps
