// What a run tells while it trains: one JSON line a step in a file, progress lines for people, and
// a summary at the end.
#pragma once

#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "pixpro/train/trainer.h"

namespace pixpro {

// One training step as it is written down.
struct StepRecord {
  StepResult result{};
  int64_t epoch = 0;  // 0, 1, ...
  double images_per_second = 0.0;
  double wait_fraction = 0.0;  // of the step's time spent waiting for images
  int64_t broken_images = 0;   // unreadable images met so far
  int64_t skipped_steps = 0;   // steps so far that changed nothing, their gradients not finite
};

// Records as a table f64 [steps, numbers], for a checkpoint, and back. The table's reader throws
// Error where it is none. `result.skipped` is not in it.
Tensor table_of(const std::vector<StepRecord>& steps);
std::vector<StepRecord> steps_of(const Tensor& table);

// Appends records to a file as JSON, each complete on disk's side of the process at once.
class MetricsFile {
 public:
  // The file of a new run, or of one that goes on after the steps `done`: it holds these then, and
  // none of those that followed before the run was interrupted. A new run keeps an earlier one's
  // file as <name>.previous. Throws where it cannot be written.
  explicit MetricsFile(const std::filesystem::path& path, const std::vector<StepRecord>& done = {});
  void write(const StepRecord& record);

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  std::filesystem::path path_;
  std::unique_ptr<std::FILE, Close> file_;
};

// "epoch 2/10  step 31/180  loss -2.1034  lr 0.1250  momentum 0.9907  41.3 images/s  waiting 2%
// left 0:03:10"; waiting: for images, of the step's time
std::string progress_line(const StepRecord& record, int64_t epochs, int64_t total_steps,
                          double seconds_left);

// Means over the first and the last tenth of a run, to see what it learnt.
struct RunSummary {
  double first_loss = 0.0, last_loss = 0.0;
  CollapseMeasures first{}, last{};
};
RunSummary summarize(const std::vector<StepRecord>& steps);

// The summary in a few lines that say what healthy values are; `channels` of a feature.
std::string summary_text(const RunSummary& summary, int64_t channels);

}  // namespace pixpro
