// Tests pixpro/train/checkpoint.cpp: a run that was interrupted and resumed has the same bits as
// one that was not, and files that are not checkpoints of the run are refused.
#include "pixpro/train/checkpoint.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "engine/tensor_ops.h"
#include "tests/support/cuda.h"
#include "tests/support/temp_dir.h"
#include "tests/support/training.h"

namespace pixpro {
namespace {

using engine::DType;
using engine::TensorFile;
using test_support::Batch;
using test_support::kCuda;
using test_support::small_training;
using test_support::TempDir;
using test_support::training_batch;

// One value is longer than a message would show.
const Settings kSettings = {
    {"--arch", "resnet18"}, {"--epochs", "2"}, {"--list", std::string(300, '7')}};

// With an instance branch, and learning rates that make the momentum of the parameters matter.
TrainerOptions training(DType precision, engine::Device device = engine::kCpu) {
  TrainerOptions options = small_training(precision, device);
  options.model.instance_weight = 0.5;
  options.schedule = {.base = 2.0, .total_steps = 5, .warmup_steps = 1};
  return options;
}

// The batch of a step. spoilt: it holds a value that makes all gradients not finite.
Batch batch_of(int64_t step, bool spoilt) {
  Batch batch = training_batch(2, 33, "views" + std::to_string(step));
  if (spoilt) batch.views.data<float>()[0] = std::numeric_limits<float>::infinity();
  return batch;
}

// Continues to `steps` steps. skips: the second step is spoilt, so that the loss scale is no longer
// the one that a new trainer begins with.
std::vector<StepResult> train_to(int64_t steps, Trainer& trainer, bool skips = false) {
  std::vector<StepResult> results;
  while (trainer.steps_done() < steps) {
    const Batch batch = batch_of(trainer.steps_done(), skips && trainer.steps_done() == 1);
    results.push_back(trainer.step({batch.views, batch.boxes}));
  }
  return results;
}

void expect_same_state(Trainer& expected, Trainer& found) {
  const TensorFile a = expected.state(), b = found.state();
  ASSERT_EQ(a.tensors.size(), b.tensors.size());
  for (const auto& [name, tensor] : a.tensors) {
    // A value that is not a number would differ from itself.
    EXPECT_TRUE(engine::to_values(tensor) == engine::to_values(find_tensor(b, name))) << name;
  }
}

void expect_resumes_with_the_same_bits(DType precision, engine::Device device) {
  const TempDir dir;
  const std::filesystem::path path = dir.path() / "current.safetensors";
  const TrainerOptions options = training(precision, device);
  const bool skips = precision == DType::f16;
  Trainer straight(options);
  {
    Trainer first(options);
    train_to(2, first, skips);
    write_checkpoint(path, first, {.steps_done = 2}, kSettings);
  }
  const std::vector<StepResult> whole = train_to(4, straight, skips);

  const TensorFile file = engine::read_tensor_file(path);
  EXPECT_EQ(run_of(file, kSettings).state.steps_done, 2);
  TrainerOptions other = options;
  other.seed = 1;  // nothing must be left of what the seed made
  Trainer resumed(other);
  train_to(1, resumed);  // nor of this step, whose update is still due
  resumed.load_state(file);
  EXPECT_EQ(resumed.steps_done(), 2);
  const std::vector<StepResult> rest = train_to(4, resumed, skips);

  expect_same_state(straight, resumed);
  ASSERT_EQ(rest.size(), 2U);
  for (size_t step = 0; step < 2; ++step) {
    const StepResult &a = whole[step + 2], &b = rest[step];
    EXPECT_EQ(a.step, b.step);
    EXPECT_EQ(a.loss, b.loss);
    EXPECT_EQ(a.learning_rate, b.learning_rate);
    EXPECT_EQ(a.momentum, b.momentum);
    EXPECT_EQ(a.loss_scale, b.loss_scale);
  }
  EXPECT_EQ(whole[1].skipped, skips);
  EXPECT_FALSE(whole[3].skipped);
  if (skips) {
    EXPECT_LT(whole[2].loss_scale, 65536.0);
  }
}

TEST(Checkpoint, ResumesWithTheSameBits) {
  for (const DType precision : {DType::f32, DType::f64}) {
    expect_resumes_with_the_same_bits(precision, engine::kCpu);
  }
}

TEST(Checkpoint, ResumesWithTheSameBitsOnCuda) {
  SKIP_WITHOUT_CUDA();
  const test_support::DeterministicCuda deterministic;
  for (const DType precision : {DType::f32, DType::f16}) {
    expect_resumes_with_the_same_bits(precision, kCuda);
  }
}

TEST(Checkpoint, HoldsEveryParameterBufferAndMomentum) {
  Trainer trainer(training(DType::f32));
  const TensorFile file = trainer.state();
  size_t expected = 1;  // steps_done
  for (const layers::NamedVar& p : trainer.model().parameters()) {
    ++expected;
    EXPECT_EQ(find_tensor(file, p.name).shape(), p.var.shape());
    if (!p.var.needs_grad()) continue;
    ++expected;
    EXPECT_EQ(find_tensor(file, "optimizer." + p.name).shape(), p.var.shape());
  }
  for (const layers::NamedTensor& b : trainer.model().buffers()) {
    ++expected;
    EXPECT_EQ(find_tensor(file, b.name).shape(), b.tensor.shape());
  }
  EXPECT_EQ(file.tensors.size(), expected);
}

TEST(Checkpoint, NeedsEveryStartedStepToBeFinished) {
  Trainer trainer(training(DType::f32));
  const Batch batch = batch_of(0, false);
  trainer.start_step({batch.views, batch.boxes});
  EXPECT_THROW(trainer.state(), engine::Error);
  trainer.finish_step();
  EXPECT_NO_THROW(trainer.state());
}

TEST(Checkpoint, HoldsTheStateOfTheRunAndNoHistory) {
  const TempDir dir;
  Trainer trainer(training(DType::f32));
  RunState written;
  written.skipped_steps = 3;
  written.history.bytes = 1 << 30;
  written.history.last_line = R"({"step":7})";
  written.broken["the file is empty"] = 2;
  write_checkpoint(dir.path() / "c", trainer, written, kSettings);
  const TensorFile file = engine::read_tensor_file(dir.path() / "c");
  EXPECT_EQ(file.metadata.at("format"), "pixpro checkpoint 2");
  const ResumedRun run = run_of(file, kSettings);
  EXPECT_EQ(run.state.skipped_steps, 3);
  EXPECT_EQ(run.state.history.bytes, 1 << 30);
  EXPECT_EQ(run.state.history.last_line, R"({"step":7})");
  EXPECT_TRUE(run.state.broken.empty()) << "images are judged anew at every start";
  EXPECT_TRUE(run.steps.empty());
  EXPECT_EQ(file.tensors.size(), trainer.state().tensors.size() + 2);
}

// The same file as version 1 wrote it: one step, three broken images.
TensorFile as_version_1(TensorFile file) {
  file.metadata["format"] = "pixpro checkpoint 1";
  file.metadata.erase("metrics_last_line");
  file.tensors.erase("metrics_bytes");
  file.tensors.erase("skipped_steps");
  Tensor metrics({1, 14}, DType::f64);
  for (int64_t i = 0; i < 14; ++i) metrics.data<double>()[i] = static_cast<double>(i);
  file.tensors["metrics"] = metrics;
  file.tensors["broken_images"] = engine::from_values<int64_t>({3}, {5, 6, 7});
  return file;
}

// A checkpoint after one step, for the tests to damage.
class BadCheckpoint : public testing::Test {
 protected:
  BadCheckpoint() : fresh_(training(DType::f32)) {
    Trainer trainer(training(DType::f32));
    train_to(1, trainer);
    const TempDir dir;
    write_checkpoint(dir.path() / "c", trainer, {.steps_done = 1}, kSettings);
    file_ = engine::read_tensor_file(dir.path() / "c");
    before_ = engine::to_values(online_weight());
  }

  Tensor online_weight() { return fresh_.model().parameters()[0].var.value(); }

  // The message of the refusal. Checks that it has left the trainer as it was.
  std::string refusal(const Settings& settings = kSettings, const Settings& defaults = kSettings) {
    try {
      run_of(file_, settings, defaults);
      fresh_.load_state(file_);
    } catch (const engine::Error& error) {
      EXPECT_EQ(engine::to_values(online_weight()), before_);
      EXPECT_EQ(fresh_.steps_done(), 0);
      const std::string message = error.what();
      EXPECT_EQ(message.find('\n'), std::string::npos) << message;
      return message;
    }
    return "no error";
  }
  void expect_refused(const std::string& words, const Settings& settings = kSettings) {
    const std::string message = refusal(settings);
    EXPECT_NE(message.find(words), std::string::npos) << "'" << words << "' in: " << message;
  }

  Trainer fresh_;
  TensorFile file_;
  std::vector<double> before_;
};

TEST_F(BadCheckpoint, OfOtherSettingsNamesThem) {
  expect_refused("made with: --arch resnet18 (asked for: resnet50), --epochs 2 (asked for: 3)",
                 {{"--arch", "resnet50"}, {"--epochs", "3"}});
  file_.metadata["--arch"] = "two\nlines";
  expect_refused("--arch two\\nlines (asked for: resnet18)");
  file_.metadata["--arch"] = "resnet18";
  EXPECT_EQ(refusal(), "no error");
}

// Older checkpoints do not know the settings that were added later.
TEST_F(BadCheckpoint, WithoutASettingHasItsDefault) {
  Settings defaults = kSettings, asked = kSettings;
  defaults["--later"] = "0";
  asked["--later"] = "1";
  EXPECT_NE(refusal(asked, defaults).find("made with: --later 0 (asked for: 1)"),
            std::string::npos);
  asked["--later"] = "0";
  EXPECT_EQ(refusal(asked, defaults), "no error");
  asked["fingerprint"] = "a fact about the images, which has no default";
  EXPECT_EQ(refusal(asked, defaults), "no error");
}

TEST_F(BadCheckpoint, WithASettingThatIsNotKnownNamesIt) {
  file_.metadata["--from-the-future"] = "9";
  expect_refused("a setting that this pixpro does not know: --from-the-future 9");
  file_.metadata.erase("--from-the-future");
  file_.metadata["fingerprint"] = "not a flag";
  EXPECT_EQ(refusal(), "no error");
}

TEST_F(BadCheckpoint, ThatIsAnotherFile) {
  for (const char* format : {"", "pt", "pixpro checkpoint", "pixpro checkpoint 0"}) {
    file_.metadata["format"] = format;
    expect_refused("is not a checkpoint of pretrain: expected 'pixpro checkpoint 2'");
  }
  file_.metadata.erase("format");
  expect_refused("is not a checkpoint of pretrain: expected 'pixpro checkpoint 2'");
  file_.metadata["format"] = "pixpro checkpoint 3";
  expect_refused("was written by a newer pixpro: its format is 'pixpro checkpoint 3'");
}

TEST_F(BadCheckpoint, OfVersion1IsReadWithItsHistory) {
  file_ = as_version_1(file_);
  const ResumedRun run = run_of(file_, kSettings);
  EXPECT_EQ(run.state.steps_done, 1);
  EXPECT_EQ(run.state.skipped_steps, 12);
  EXPECT_EQ(run.state.history.bytes, 0);
  ASSERT_EQ(run.steps.size(), 1U);
  EXPECT_EQ(run.steps[0].result.loss, 2.0);
  EXPECT_EQ(refusal(), "no error");
}

TEST_F(BadCheckpoint, WithoutATensorOrWithAnotherInItsPlace) {
  const TensorFile whole = file_, older = as_version_1(file_);
  const auto expect_needed = [&](const TensorFile& good, const char* name) {
    file_ = good;
    file_.tensors.erase(name);
    expect_refused(std::string("'") + name + "' is missing");
    file_.tensors[name] = Tensor({3}, DType::u8);
    EXPECT_NE(refusal(), "no error") << name;
  };
  for (const char* name :
       {"encoder.conv1.weight", "encoder_k.bn1.running_mean", "optimizer.value_transform.weight",
        "steps_done", "skipped_steps", "metrics_bytes"}) {
    expect_needed(whole, name);
  }
  expect_needed(older, "metrics");
  file_ = whole;
  file_.tensors["optimizer.predictor.linear1.bias"] = engine::full({32}, std::nan(""));
  expect_refused("'optimizer.predictor.linear1.bias' holds a value that is not a finite number");
}

TEST_F(BadCheckpoint, WithCountsThatCannotBe) {
  file_.tensors["steps_done"] = engine::from_values<int64_t>({}, {9});
  expect_refused("expected 'steps_done' from 0 to 5, found 9");
  file_.tensors["steps_done"] = engine::from_values<int64_t>({}, {-1});
  expect_refused("expected one whole number from 0 on as 'steps_done', found i64 [] -1");
  file_ = as_version_1(file_);
  file_.tensors["steps_done"] = engine::from_values<int64_t>({}, {2});
  expect_refused("2 steps are done, but there are metrics of 1");
  file_.tensors["steps_done"] = engine::from_values<int64_t>({}, {1});
  Tensor metrics = find_tensor(file_, "metrics");
  metrics.data<double>()[1] = 0.5;
  expect_refused("'step' must be a whole number, found 0.5");
  metrics.data<double>()[1] = std::nan("");
  expect_refused("'step' must be a whole number");
}

}  // namespace
}  // namespace pixpro
