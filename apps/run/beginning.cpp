#include "apps/run/beginning.h"

#include <sstream>

#include "apps/console.h"
#include "apps/interrupts.h"
#include "apps/run/pretrained_model.h"
#include "engine/files/tensor_file_header.h"

namespace apps {
namespace {

namespace fs = std::filesystem;

// The setting --bit-depth of a checkpoint is a number, never auto: a run goes on with the depth
// that it began with. Runs that did not record it took all 16 bits.
constexpr const char *kBitDepth = "--bit-depth", *kUnrecordedBitDepth = "16";

BitDepthFlag bit_depth_of(const PretrainFlags& flags,
                          std::optional<engine::TensorFile>& checkpoint) {
  if (!checkpoint) return flags.bit_depth;
  const auto recorded = checkpoint->metadata.try_emplace(kBitDepth, kUnrecordedBitDepth).first;
  return flags.bit_depth.is_auto() ? BitDepthFlag{recorded->second} : flags.bit_depth;
}

// The setting --batch-size of a checkpoint counts the images of all ranks, on which the numbers
// depend: a run may go on with another number of ranks.
constexpr const char *kBatchSize = "--batch-size", *kRanks = "ranks";

void require_same_total(const engine::TensorFile& checkpoint, int64_t batch_size, int ranks) {
  const auto found = checkpoint.metadata.find(kBatchSize);
  const std::string total = std::to_string(batch_size * ranks);
  if (ranks == 1 || found == checkpoint.metadata.end() || found->second == total) return;
  engine::fail(file_called(checkpoint), " is of a run with ", engine::shown(found->second),
               " images per step, but ", ranks, " ranks of ", batch_size, " images make ", total,
               "; set --total-batch-size");
}

}  // namespace

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

void set_aside_earlier_run(const RunFolder& folder, const std::optional<fs::path>& resumed) {
  if (resumed == folder.checkpoint()) return;
  const bool earlier = fs::exists(folder.checkpoint()) || fs::exists(folder.weights()) ||
                       (resumed && fs::exists(folder.metrics()));
  if (!earlier) return;
  const Interrupts::Saving saving;
  say("the files of an earlier run are now in " + folder.set_aside().string() + "\n");
}

Beginning beginning_of(const PretrainFlags& flags, const std::optional<fs::path>& resumed,
                       const pixpro::Source& source, const Command& command, int ranks) {
  Beginning begin;
  begin.settings = command.settings();
  begin.settings[kBatchSize] = std::to_string(flags.batch_size * ranks);
  const pixpro::Settings images = image_settings(source);
  if (resumed) {
    begin.checkpoint = engine::read_tensor_file(*resumed);
    require_same_images(*begin.checkpoint, images);
    require_same_total(*begin.checkpoint, flags.batch_size, ranks);
  }
  begin.decoding = decode_options(bit_depth_of(flags, begin.checkpoint), source);
  begin.settings[kBitDepth] = std::to_string(begin.decoding.bit_depth);
  if (resumed) {
    begin.resumption = resume(*begin.checkpoint, begin.settings, command.default_settings(),
                              flags.training.optimizer.epochs, flags.extend);
  }
  begin.settings.insert(images.begin(), images.end());
  begin.settings[kRanks] = std::to_string(ranks);
  return begin;
}

void load_beginning(const PretrainFlags& flags, const Rank& rank,
                    std::optional<engine::TensorFile>& checkpoint, pixpro::Trainer& trainer) {
  if (checkpoint) {
    trainer.load_state(*checkpoint);
    checkpoint.reset();  // it is as large as the trainer
  } else if (flags.pretrained_model) {
    if (rank.leads()) start_from_pretrained(*flags.pretrained_model, trainer);
    trainer.share_state();
  }
}

std::string ranks_note(const Beginning& begin, int ranks, bool sync_batch_norm) {
  if (!begin.checkpoint) return {};
  const auto found = begin.checkpoint->metadata.find(kRanks);
  const std::string before = found == begin.checkpoint->metadata.end() ? "1" : found->second;
  if (before == std::to_string(ranks)) return {};
  return "the run had " + before + " ranks and goes on with " + std::to_string(ranks) +
         ": each step has the same images as before, in another division" +
         (sync_batch_norm ? ", so that the numbers differ from those of an undisturbed run by "
                            "rounding only\n"
                          : ", and so has each batch normalisation, which changes the numbers\n");
}

}  // namespace apps
