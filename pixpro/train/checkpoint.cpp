#include "pixpro/train/checkpoint.h"

#include "engine/files/tensor_file_header.h"
#include "engine/tensor_ops.h"

namespace pixpro {
namespace {

using engine::TensorFile;

constexpr const char *kFormat = "format", *kVersion = "pixpro checkpoint 1";
constexpr const char *kMetrics = "metrics", *kBrokenImages = "broken_images";

// A value of the file's metadata in a form that a message can show.
std::string value_of(const TensorFile& file, const std::string& name) {
  const auto found = file.metadata.find(name);
  return found == file.metadata.end() ? "nothing" : engine::shown(found->second);
}

void require_same(const TensorFile& checkpoint, const Settings& asked) {
  std::string different;
  for (const auto& [name, value] : asked) {
    const auto there = checkpoint.metadata.find(name);
    if (there != checkpoint.metadata.end() && there->second == value) continue;
    different += different.empty() ? " " : ", ";
    different += name + " " + value_of(checkpoint, name) + " (asked for: " + value + ")";
  }
  engine::require(different.empty(), file_called(checkpoint),
                  " can be resumed only with the settings it was made with:", different);
}

}  // namespace

void write_checkpoint(const std::filesystem::path& path, Trainer& trainer, const RunState& run,
                      const Settings& settings) {
  TensorFile file = trainer.state();
  file.tensors[kMetrics] = table_of(run.steps);
  const auto broken = static_cast<int64_t>(run.broken_images.size());
  file.tensors[kBrokenImages] = engine::from_values({broken}, run.broken_images);
  file.metadata = settings;
  file.metadata[kFormat] = kVersion;
  write_tensor_file(path, file);
}

RunState run_of(const TensorFile& checkpoint, const Settings& settings) {
  const std::string found = value_of(checkpoint, kFormat), file = file_called(checkpoint);
  engine::require(found == kVersion, file, " is not a checkpoint of pretrain: expected '", kVersion,
                  "' as its ", kFormat, ", found ", found);
  require_same(checkpoint, settings);
  const Tensor& metrics = find_tensor(checkpoint, kMetrics);
  RunState run{.steps = engine::within(file, [&] { return steps_of(metrics); }),
               .broken_images = {}};
  const auto steps = static_cast<double>(run.steps.size());
  const double done = engine::item(find_tensor(checkpoint, "steps_done"));
  engine::require(done == steps, file, ": ", done, " steps are done, but there are metrics of ",
                  steps);
  const Tensor& broken = find_tensor(checkpoint, kBrokenImages);
  engine::require(broken.dtype() == engine::DType::i64, file, ": '", kBrokenImages, "' holds ",
                  broken.dtype(), ", expected ", engine::DType::i64);
  const int64_t* samples = broken.data<int64_t>();
  run.broken_images.assign(samples, samples + broken.elements());
  return run;
}

}  // namespace pixpro
