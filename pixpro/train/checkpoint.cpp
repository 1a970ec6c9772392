#include "pixpro/train/checkpoint.h"

#include <charconv>
#include <string_view>

#include "engine/files/tensor_file_header.h"
#include "engine/tensor_ops.h"

namespace pixpro {
namespace {

using engine::TensorFile;

// Version 1 held the records of all steps as a table, "metrics", and the numbers of the images that
// could not be read.
constexpr int kVersion = 2;
constexpr const char* kFormat = "format";
constexpr std::string_view kFormatName = "pixpro checkpoint ";
constexpr const char *kStepsDone = "steps_done", *kSkippedSteps = "skipped_steps";
constexpr const char *kMetricsBytes = "metrics_bytes", *kMetricsLastLine = "metrics_last_line";

// A value of the file's metadata, or nothing if it is not there.
std::string metadata_of(const TensorFile& file, const std::string& name) {
  const auto found = file.metadata.find(name);
  return found == file.metadata.end() ? "" : found->second;
}

int version_of(const TensorFile& checkpoint) {
  const std::string format = metadata_of(checkpoint, kFormat);
  int version = 0;
  if (format.starts_with(kFormatName)) {
    std::from_chars(format.data() + kFormatName.size(), format.data() + format.size(), version);
  }
  engine::require(version >= 1, file_called(checkpoint),
                  " is not a checkpoint of pretrain: expected '", kFormatName, kVersion,
                  "' as its ", kFormat, ", found '", engine::shown(format), "'");
  engine::require(version <= kVersion, file_called(checkpoint),
                  " was written by a newer pixpro: ", "its ", kFormat, " is '",
                  engine::shown(format), "', and this one reads checkpoints up to version ",
                  kVersion);
  return version;
}

void require_known(const TensorFile& checkpoint, const Settings& asked, const Settings& defaults) {
  for (const auto& [name, value] : checkpoint.metadata) {
    if (!name.starts_with("--") || asked.contains(name) || defaults.contains(name)) continue;
    engine::fail(file_called(checkpoint), " was made with a setting that this pixpro does not ",
                 "know: ", engine::shown(name), " ", engine::shown(value));
  }
}

void require_same(const TensorFile& checkpoint, const Settings& asked, const Settings& defaults) {
  std::string different;
  for (const auto& [name, value] : asked) {
    auto there = checkpoint.metadata.find(name);
    if (there == checkpoint.metadata.end()) {
      there = defaults.find(name);
      if (there == defaults.end()) continue;
    }
    if (there->second == value) continue;
    different += different.empty() ? " " : ", ";
    different += name + " " + engine::shown(there->second) + " (asked for: " + value + ")";
  }
  engine::require(different.empty(), file_called(checkpoint),
                  " can be resumed only with the settings it was made with:", different);
}

Tensor number(int64_t value) { return engine::from_values<int64_t>({}, {value}); }

int64_t number_in(const TensorFile& file, const char* name) {
  const Tensor& found = find_tensor(file, name);
  const bool fits = found.dtype() == engine::DType::i64 && found.elements() == 1;
  const int64_t value = fits ? *found.data<int64_t>() : -1;
  engine::require(value >= 0, file_called(file), ": expected one whole number from 0 on as '", name,
                  "', found ", found.dtype(), " ", found.shape(), fits ? " " : "",
                  fits ? std::to_string(value) : "");
  return value;
}

ResumedRun run_of_version_1(const TensorFile& checkpoint) {
  const std::string file = file_called(checkpoint);
  const Tensor& metrics = find_tensor(checkpoint, "metrics");
  ResumedRun run{.steps = engine::within(file, [&] { return steps_of(metrics); })};
  const auto recorded = static_cast<int64_t>(run.steps.size());
  run.state.steps_done = number_in(checkpoint, kStepsDone);
  engine::require(run.state.steps_done == recorded, file, ": ", run.state.steps_done,
                  " steps are done, but there are metrics of ", recorded);
  if (recorded > 0) run.state.skipped_steps = run.steps.back().skipped_steps;
  return run;
}

}  // namespace

void write_checkpoint(const std::filesystem::path& path, Trainer& trainer, const RunState& run,
                      const Settings& settings) {
  TensorFile file = trainer.state();
  file.tensors[kSkippedSteps] = number(run.skipped_steps);
  file.tensors[kMetricsBytes] = number(run.history.bytes);
  file.metadata = settings;
  file.metadata[kMetricsLastLine] = run.history.last_line;
  file.metadata[kFormat] = std::string(kFormatName) + std::to_string(kVersion);
  write_tensor_file(path, file);
}

ResumedRun run_of(const TensorFile& checkpoint, const Settings& settings,
                  const Settings& defaults) {
  const int version = version_of(checkpoint);
  require_known(checkpoint, settings, defaults);
  require_same(checkpoint, settings, defaults);
  if (version == 1) return run_of_version_1(checkpoint);
  return {.state = {.steps_done = number_in(checkpoint, kStepsDone),
                    .skipped_steps = number_in(checkpoint, kSkippedSteps),
                    .history = {.bytes = number_in(checkpoint, kMetricsBytes),
                                .last_line = metadata_of(checkpoint, kMetricsLastLine)},
                    .broken = {}}};
}

}  // namespace pixpro
