// Bad input on the command line: one clear line, a non-zero exit status, no files left behind.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>

#include "engine/files/tensor_file.h"
#include "engine/tensor_ops.h"
#include "pixpro/train/trainer.h"
#include "pixpro/weights/weights.h"
#include "tests/apps/program.h"
#include "tests/support/temp_dir.h"

namespace apps {
namespace {

namespace fs = std::filesystem;
using test_support::TempDir;

// The command line itself is wrong.
void expect_bad_command_line(const std::vector<std::string>& arguments,
                             const std::vector<std::string>& words) {
  expect_refusal(run_pixpro(arguments), words, 2);
}

// The command line is right, but what it asks for is impossible.
void expect_refused(const std::vector<std::string>& arguments,
                    const std::vector<std::string>& words) {
  expect_refusal(run_pixpro(arguments), words);
}

void write_text(const fs::path& path, const std::string& text) { std::ofstream(path) << text; }

TEST(CommandLine, HelpListsEveryCommand) {
  const CommandResult help = run_pixpro({"--help"});
  EXPECT_EQ(help.status, 0);
  for (const char* command :
       {"pretrain", "pack", "replay", "trace", "gradcheck", "augment", "bench"}) {
    EXPECT_NE(help.out.find(command), std::string::npos) << command;
  }
}

TEST(CommandLine, RefusesWhatItDoesNotKnow) {
  expect_bad_command_line({}, {"--help"});
  expect_bad_command_line({"train"}, {"--help"});
  expect_bad_command_line({"gradcheck", "--fast"}, {"--fast"});
  expect_bad_command_line({"pretrain", "--data-dir", "/", "--arch", "vgg16"}, {"--arch", "vgg16"});
  expect_bad_command_line({"pretrain", "--data-dir", "/", "--batch-size", "many"},
                          {"--batch-size", "many"});
  expect_bad_command_line({"pretrain", "--data-dir", "/", "--pixpro-transform-layer", "3"},
                          {"--pixpro-transform-layer", "3"});
  expect_bad_command_line({"pretrain", "--data-dir", "/", "--save-freq", "0"},
                          {"--save-freq", "0"});
  expect_bad_command_line({"pretrain"}, {"--data-dir"});
}

TEST(CommandLine, RefusesWhatIsNotANumberInRange) {
  for (const char* flag :
       {"--base-lr", "--weight-decay", "--momentum", "--warmup-epoch", "--warmup-multiplier",
        "--lr-decay-rate", "--crop", "--pixpro-p", "--pixpro-momentum", "--pixpro-pos-ratio",
        "--pixpro-clamp-value", "--pixpro-ins-loss-weight", "--pixcontrast-temperature"}) {
    for (const char* value : {"nan", "inf", "1e400", "1x", ""}) {
      expect_bad_command_line({"pretrain", "--data-dir", "/", flag, value}, {flag});
    }
  }
  expect_bad_command_line({"pretrain", "--data-dir", "/", "--pixpro-p", "-1"},
                          {"--pixpro-p", "-1"});
  expect_bad_command_line({"pretrain", "--data-dir", "/", "--seed", "-1"}, {"--seed", "-1"});
  expect_bad_command_line({"pretrain", "--data-dir", "/", "--lr-decay-epochs", "-5"}, {"-5"});
}

TEST(CommandLine, RefusesAFolderWithoutImages) {
  const TempDir dir;
  expect_refused({"pretrain", "--data-dir", dir.path() / "none"}, {"none"});
  expect_refused({"pretrain", "--data-dir", dir.path()}, {dir.path().string()});
}

TEST(CommandLine, RefusesImagesThatCannotBeRead) {
  const TempDir dir;
  write_text(dir.path() / "a.jpg", "not an image");
  write_text(dir.path() / "b.png", "nor this");
  const CommandResult result =
      run_pixpro({"pretrain", "--data-dir", dir.path(), "--batch-size", "2", "--arch", "resnet18",
                  "--output-dir", dir.path() / "out"});
  EXPECT_EQ(result.status, 1);
  EXPECT_NE(result.err.find("2 of the 2 images are broken"), std::string::npos) << result.err;
}

TEST(CommandLine, RefusesABatchLargerThanTheDataSet) {
  const TempDir dir;
  write_text(dir.path() / "a.jpg", "x");
  expect_refused({"pretrain", "--data-dir", dir.path(), "--batch-size", "8"}, {"8", "1"});
}

TEST(CommandLine, RefusesFlagsThatContradictEachOther) {
  const TempDir dir;
  expect_refused(
      {"trace", "--pixpro-p", "1.5", "--pixpro-clamp-value", "-1", "--out", dir.path() / "t"},
      {"clamp", "1.5"});
  EXPECT_TRUE(fs::is_empty(dir.path()));
}

TEST(CommandLine, RefusesFlagsThatTheMethodDoesNotHave) {
  const TempDir dir;
  for (const char* command : {"pretrain", "trace"}) {
    std::vector<std::string> start = {command, "--model", "PixContrast"};
    if (start[0] == "pretrain") start.insert(start.end(), {"--data-dir", dir.path()});
    for (const std::vector<std::string>& flag : {std::vector<std::string>{"--pixpro-p", "2"},
                                                 {"--pixpro-clamp-value", "0"},
                                                 {"--pixpro-transform-layer", "1"}}) {
      std::vector<std::string> arguments = start;
      arguments.insert(arguments.end(), flag.begin(), flag.end());
      expect_refused(arguments, {flag[0] + " has no effect without --model PixPro"});
    }
  }
  expect_refused({"trace", "--pixcontrast-temperature", "0.3"},
                 {"--pixcontrast-temperature has no effect without --model PixContrast"});
  expect_bad_command_line({"trace", "--model", "PixContrast", "--pixcontrast-temperature", "0"},
                          {"temperature"});
}

TEST(CommandLine, TakesTheLastOfAFlagGivenTwice) {
  const TempDir dir;
  expect_refused({"pretrain", "--data-dir", "elsewhere", "--data-dir", dir.path() / "here",
                  "--arch", "resnet50", "--arch", "resnet18"},
                 {"here"});
  expect_bad_command_line(
      {"trace", "--device", "cuda:0", "--seed", "1", "--seed", "2", "--device", "tpu"}, {"tpu"});
  expect_bad_command_line({"pretrain", "--data-dir", "/", "--batch-size", "4", "--batch-size", "0"},
                          {"--batch-size", "0"});
  // Those before it are not even checked.
  expect_refused({"pretrain", "--data-dir",   "/",    "--batch-size", "0",     "--batch-size",
                  "-1",       "--batch-size", "many", "--batch-size", "1",     "--seed",
                  "-1",       "--seed",       "1",    "--arch",       "vgg16", "--arch",
                  "resnet18", "--base-lr",    "nan",  "--base-lr",    "1",     "--image-size",
                  "31",       "--image-size", "32"},
                 {"one cell", "--batch-size of 2 or more"});
  expect_bad_command_line({"pack", "a", "b", "c"}, {"c"});
}

TEST(CommandLine, RefusesSidesThatTheBackboneCannotTake) {
  for (const char* side : {"31", "1", "0", "-1", "4097", "1000000000000", "32.5", "x", ""}) {
    expect_bad_command_line({"pretrain", "--data-dir", "/", "--image-size", side},
                            {"--image-size", side});
  }
  expect_bad_command_line({"pretrain", "--data-dir", "/", "--image-size", "31"},
                          {"from 32 to 4096", "one cell of 32 x 32 pixels"});
  expect_refused({"pretrain", "--data-dir", "/", "--image-size", "32", "--batch-size", "1"},
                 {"one cell", "--batch-size of 2 or more"});
}

TEST(CommandLine, RefusesStartsThatContradictEachOther) {
  expect_refused({"pretrain", "--data-dir", "/", "--extend"}, {"--extend", "--auto-resume"});
  expect_refused({"pretrain", "--data-dir", "/", "--resume", "a", "--pretrained-model", "b"},
                 {"--pretrained-model", "--resume"});
}

TEST(CommandLine, RefusesADeviceThatDoesNotExist) {
  const auto expect = [](const std::string& device, const std::vector<std::string>& words) {
    const TempDir dir;
    expect_bad_command_line({"trace", "--device", device, "--out", dir.path() / "t"}, words);
    EXPECT_TRUE(fs::is_empty(dir.path()));
  };
  expect("tpu", {"tpu", "cuda:0-7"});
  expect("cuda:90-99", {engine::kHasCuda ? "there is no cuda:90" : "needs a build with CUDA"});
  if (!engine::kHasCuda) return;
  expect("cuda:1-0", {"cuda:1-0", "empty"});
  expect("cuda:0,0", {"cuda:0,0", "twice"});
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

TEST_F(ReplayInput, RefusesAFileThatIsNotATensorFile) {
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

TEST_F(ReplayInput, NamesAMissingBatch) {
  batches_.tensors.erase("view1.0");
  expect_replay_refused({"view1.0"});
}

TEST_F(ReplayInput, RefusesAGapInTheSteps) {
  for (const char* name : {"view1.", "view2.", "coord1.", "coord2."}) {
    batches_.tensors[name + std::string("2")] = batches_.tensors[name + std::string("0")];
  }
  expect_replay_refused({"view1.S", "gap"});
}

// Batches are read after the weights.
class ReplayBatch : public ReplayInput {
 protected:
  void SetUp() override {
    ReplayInput::SetUp();
    pixpro::Trainer trainer({.model = {.arch = "resnet18"}});
    engine::write_tensor_file(dir_.path() / "w.safetensors", pixpro::weights_of(trainer.model()));
  }
};

TEST_F(ReplayBatch, NamesAMissingPart) {
  batches_.tensors.erase("coord2.0");
  expect_replay_refused({"coord2.0", "missing"});
}

TEST_F(ReplayBatch, NamesAMisshapenPart) {
  batches_.tensors["coord1.0"] = engine::zeros({3, 4});
  expect_replay_refused({"coord1.0", "[3,4]", "[2,4]"});
}

TEST_F(ReplayBatch, RefusesAValueThatIsNotANumber) {
  batches_.tensors["view2.0"] = engine::full({2, 3, 64, 64}, std::nan(""));
  expect_replay_refused({"view2.0", "finite"});
}

TEST_F(ReplayBatch, RefusesBatchesOfDifferentSizes) {
  const engine::Tensor view = engine::zeros({3, 3, 64, 64}), box = engine::zeros({3, 4});
  batches_.tensors.insert(
      {{"view1.1", view}, {"view2.1", view}, {"coord1.1", box}, {"coord2.1", box}});
  expect_replay_refused({"view1.1", "3", "2"});
}

// Otherwise four processes would write the same file.
TEST(CommandLine, CommandsOfOneProcessRefuseALauncher) {
  const std::map<const char*, const char*> variables = {{"OMPI_COMM_WORLD_SIZE", "4"},
                                                        {"OMPI_COMM_WORLD_RANK", "1"},
                                                        {"OMPI_COMM_WORLD_LOCAL_SIZE", "4"},
                                                        {"OMPI_COMM_WORLD_LOCAL_RANK", "1"}};
  for (const auto& [name, value] : variables) setenv(name, value, 1);
  const TempDir dir;
  expect_bad_command_line({"pack", dir.path(), dir.path() / "out.pixpack"},
                          {"pack runs as one process, but mpirun has started 4"});
  EXPECT_TRUE(fs::is_empty(dir.path()));
  for (const auto& [name, value] : variables) unsetenv(name);
}

}  // namespace
}  // namespace apps
