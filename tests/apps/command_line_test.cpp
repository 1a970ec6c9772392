// Bad input on the command line: one clear line, a non-zero exit, nothing left behind.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "engine/tensor_file.h"
#include "engine/tensor_ops.h"
#include "tests/support/command.h"
#include "tests/support/temp_dir.h"

namespace apps {
namespace {

namespace fs = std::filesystem;
using test_support::CommandResult;
using test_support::TempDir;

CommandResult pixpro(const std::vector<std::string>& arguments) {
  return test_support::run_command(PIXPRO_BINARY, arguments);
}

// The command fails with one line on standard error that names all of `words`.
void expect_refused(const std::vector<std::string>& arguments,
                    const std::vector<std::string>& words) {
  const CommandResult result = pixpro(arguments);
  EXPECT_TRUE(result.status == 1 || result.status == 2) << result.status;
  EXPECT_TRUE(result.err.starts_with("pixpro: ")) << result.err;
  EXPECT_EQ(std::ranges::count(result.err, '\n'), 1) << result.err;
  for (const std::string& word : words) {
    EXPECT_NE(result.err.find(word), std::string::npos) << "'" << word << "' in: " << result.err;
  }
}

void write_text(const fs::path& path, const std::string& text) { std::ofstream(path) << text; }

TEST(CommandLine, HelpTellsEveryCommandAndFlag) {
  const CommandResult help = pixpro({"--help"});
  EXPECT_EQ(help.status, 0);
  for (const char* command : {"pretrain", "replay", "trace", "gradcheck", "augment"}) {
    EXPECT_NE(help.out.find(command), std::string::npos) << command;
  }
  const CommandResult pretrain = pixpro({"pretrain", "--help"});
  for (const char* flag : {"--data-dir",
                           "--arch",
                           "--model",
                           "--image-size",
                           "--batch-size",
                           "--epochs",
                           "--aug",
                           "--crop",
                           "--optimizer",
                           "--base-lr",
                           "--weight-decay",
                           "--momentum",
                           "--warmup-epoch",
                           "--warmup-multiplier",
                           "--lr-scheduler",
                           "--lr-decay-epochs",
                           "--lr-decay-rate",
                           "--pixpro-p",
                           "--pixpro-momentum",
                           "--pixpro-pos-ratio",
                           "--pixpro-clamp-value",
                           "--pixpro-transform-layer",
                           "--pixpro-ins-loss-weight",
                           "--output-dir",
                           "--num-workers",
                           "--seed",
                           "--threads",
                           "--device"}) {
    EXPECT_NE(pretrain.out.find(flag), std::string::npos) << flag;
  }
}

TEST(CommandLine, RefusesWhatItDoesNotKnow) {
  expect_refused({}, {"--help"});
  expect_refused({"train"}, {"--help"});
  expect_refused({"gradcheck", "--fast"}, {"--fast"});
  expect_refused({"pretrain", "--data-dir", "/", "--arch", "vgg16"}, {"--arch", "vgg16"});
  expect_refused({"pretrain", "--data-dir", "/", "--batch-size", "many"}, {"--batch-size", "many"});
  expect_refused({"pretrain", "--data-dir", "/", "--pixpro-transform-layer", "3"},
                 {"--pixpro-transform-layer", "3"});
  expect_refused({"pretrain"}, {"--data-dir"});
}

TEST(CommandLine, RefusesAFolderWithoutImages) {
  const TempDir dir;
  expect_refused({"pretrain", "--data-dir", dir.path() / "none"}, {"none"});
  expect_refused({"pretrain", "--data-dir", dir.path()}, {dir.path().string()});
}

TEST(CommandLine, RefusesImagesThatCannotBeRead) {
  const TempDir dir;
  write_text(dir.path() / "a.jpg", "not a picture");
  write_text(dir.path() / "b.png", "nor this");
  expect_refused({"pretrain", "--data-dir", dir.path(), "--batch-size", "2", "--arch", "resnet18",
                  "--output-dir", dir.path() / "out"},
                 {"image"});
}

TEST(CommandLine, RefusesABatchLargerThanTheDataSet) {
  const TempDir dir;
  write_text(dir.path() / "a.jpg", "x");
  expect_refused({"pretrain", "--data-dir", dir.path(), "--batch-size", "8"}, {"8", "1"});
}

TEST(CommandLine, RefusesAMethodThatHasNoMeaning) {
  const TempDir dir;
  expect_refused(
      {"trace", "--pixpro-p", "1.5", "--pixpro-clamp-value", "-1", "--out", dir.path() / "t"},
      {"clamp", "1.5"});
  EXPECT_TRUE(fs::is_empty(dir.path()));
}

TEST(CommandLine, RefusesADeviceThatIsNotThere) {
  expect_refused({"trace", "--device", "tpu"}, {"tpu", "cuda"});
}

class ReplayInput : public testing::Test {
 protected:
  void SetUp() override {
    const engine::Tensor view = engine::full({2, 3, 64, 64}, 0.5), box = engine::full({2, 4}, 0.5);
    batches_.tensors = {{"view1.0", view}, {"view2.0", view}, {"coord1.0", box}, {"coord2.0", box}};
  }

  void expect_replay_refused(const std::vector<std::string>& words) {
    engine::write_tensor_file(dir_.path() / "b.safetensors", batches_);
    expect_refused({"replay", "--arch", "resnet18", "--weights", dir_.path() / "w.safetensors",
                    "--batches", dir_.path() / "b.safetensors", "--out", dir_.path() / "o"},
                   words);
    EXPECT_FALSE(fs::exists(dir_.path() / "o"));
  }

  TempDir dir_;
  engine::TensorFile batches_;
};

TEST_F(ReplayInput, NamesAMissingFile) { expect_replay_refused({"w.safetensors"}); }

TEST_F(ReplayInput, RefusesAFileThatIsNoTensorFile) {
  write_text(dir_.path() / "w.safetensors", "PK\x03\x04 this is some other kind of file");
  expect_replay_refused({"w.safetensors"});
}

TEST_F(ReplayInput, NamesAMissingWeight) {
  engine::write_tensor_file(dir_.path() / "w.safetensors", {});
  expect_replay_refused({"encoder.conv1.weight"});
}

TEST_F(ReplayInput, NamesAMisshapenWeight) {
  engine::TensorFile weights;
  weights.tensors["encoder.conv1.weight"] = engine::zeros({64, 3, 3, 3});
  engine::write_tensor_file(dir_.path() / "w.safetensors", weights);
  expect_replay_refused({"encoder.conv1.weight", "[64,3,3,3]", "[64,3,7,7]"});
}

TEST_F(ReplayInput, NamesABatchThatIsNotWhole) {
  batches_.tensors.erase("view1.0");
  expect_replay_refused({"view1.0"});
}

}  // namespace
}  // namespace apps
