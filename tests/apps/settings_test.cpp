// Which flags of pixpro pretrain a resumed run may change, and which it must not.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <set>
#include <sstream>

#include "engine/files/tensor_file.h"
#include "tests/apps/pretrain_runs.h"

namespace apps {
namespace {

// The numbers depend on these: flag, another value, the value of the run in RunToResume as its
// checkpoint spells it. Both spellings must stay, or older checkpoints can no longer be resumed.
const std::vector<std::array<std::string, 3>> kFixed = {
    {"--arch", "resnet34", "resnet18"},
    {"--model", "PixContrast", "PixPro"},
    {"--pixpro-p", "1", "2.0"},
    {"--pixpro-momentum", "0.9", "0.99"},
    {"--pixpro-pos-ratio", "0.5", "0.7"},
    {"--pixpro-clamp-value", "0.5", "0.0"},
    {"--pixpro-transform-layer", "2", "1"},
    {"--pixpro-ins-loss-weight", "1", "0.0"},
    {"--pixcontrast-temperature", "0.5", "0.3"},
    {"--optimizer", "sgd", "lars"},
    {"--base-lr", "2", "1.0"},
    {"--weight-decay", "0", "1e-05"},
    {"--momentum", "0.5", "0.9"},
    {"--lr-scheduler", "step", "cosine"},
    {"--epochs", "2", "1"},
    {"--warmup-epoch", "0.5", "0.0"},
    {"--warmup-multiplier", "10", "100.0"},
    {"--lr-decay-epochs", "3", "[120,160,200]"},
    {"--lr-decay-rate", "0.5", "0.1"},
    {"--seed", "1", "0"},
    {"--precision", "f64", "f32"},
    {"--batch-size", "2", "4"},
    {"--accumulate", "2", "1"},
    {"--no-sync-bn", "", "false"},
    {"--reduce-in", "bf16", "own"},
    {"--aug", "NULL", "BYOL"},
    {"--crop", "0.2", "0.08"},
    {"--image-size", "96", "33"},
    {"--bit-depth", "12", "16"},
};

// At most rounding depends on these.
const std::set<std::string> kFree = {
    "--data-dir",         "--zip",           "--cache-mode",
    "--max-broken",       "--io-patience",   "--decode-memory",
    "--num-workers",      "--save-freq",     "--resume",
    "--auto-resume",      "--output-dir",    "--augment-on",
    "--threads",          "--device",        "--conv-algorithm",
    "--cudnn-benchmark",  "--deterministic", "--overwrite",
    "--exclude",          "--extend",        "--pretrained-model",
    "--total-batch-size", "--bucket-mib",
};

// The options of a help text by the heading they stand under, each by its first long name.
std::map<std::string, std::set<std::string>> options_by_heading(const std::string& help) {
  std::map<std::string, std::set<std::string>> found;
  std::string heading;
  std::istringstream lines(help);
  for (std::string line; std::getline(lines, line);) {
    if (line.ends_with(":")) heading = line;
    const size_t first = line.find_first_not_of(' ');
    if (first == std::string::npos || line[first] != '-') continue;
    const size_t name = line.find("--");
    found[heading].insert(line.substr(name, line.find_first_of(" ,", name) - name));
  }
  return found;
}

TEST(PretrainFlags, AreAllKnownToChangeTheNumbersOrNot) {
  std::set<std::string> fixed;
  for (const auto& flag : kFixed) fixed.insert(flag[0]);
  auto found = options_by_heading(run_pixpro({"pretrain", "--help"}).out);
  EXPECT_EQ(found["Options that change the numbers, fixed when a run is resumed:"], fixed);
  EXPECT_EQ(found["Options that may change when a run is resumed:"], kFree);
  ASSERT_EQ(found.size(), 3U);
  found.erase("Options that change the numbers, fixed when a run is resumed:");
  found.erase("Options that may change when a run is resumed:");
  EXPECT_EQ(found.begin()->second, std::set<std::string>{"--help"});
}

// A run of one epoch, whose checkpoint has lost its tensors: settings are compared before tensors
// are read.
class RunToResume : public Pretrain {
 protected:
  void SetUp() override {
    Pretrain::SetUp();
    ASSERT_EQ(train(dir_.path() / "run", {}, 1).status, 0);
    engine::TensorFile file = engine::read_tensor_file(dir_.path() / "run" / "current.safetensors");
    file.tensors.clear();
    engine::write_tensor_file(dir_.path() / "settings", file);
  }

  CommandResult resume_with(const std::string& flag, const std::string& value,
                            const std::vector<std::string>& more = {}) const {
    std::map<std::string, std::string> flags = {
        {"--arch", "resnet18"},   {"--image-size", "33"},
        {"--warmup-epoch", "0"},  {"--batch-size", "4"},
        {"--epochs", "1"},        {"--data-dir", data_.string()},
        {"--output-dir", "none"}, {"--resume", dir_.path() / "settings"}};
    flags[flag] = value;
    std::vector<std::string> command = {"pretrain"};
    for (const auto& [name, text] : flags) {
      command.push_back(name);
      if (!text.empty()) command.push_back(text);
    }
    command.insert(command.end(), more.begin(), more.end());
    return run_pixpro(command);
  }
  // Changes the settings in the checkpoint.
  void change_checkpoint(const std::function<void(engine::TensorFile&)>& change) const {
    engine::TensorFile file = engine::read_tensor_file(dir_.path() / "settings");
    change(file);
    engine::write_tensor_file(dir_.path() / "settings", file);
  }
};

TEST_F(RunToResume, RefusesOtherSettingsAndNamesThem) {
  for (const auto& [flag, value, in_checkpoint] : kFixed) {
    if (flag == "--pixcontrast-temperature") continue;  // has a meaning for PixContrast only
    expect_refusal(resume_with(flag, value),
                   {"made with: " + flag + " " + in_checkpoint + " (asked for: ", value});
  }
  expect_refusal(resume_with("--pixcontrast-temperature", "0.5", {"--model", "PixContrast"}),
                 {"--model PixPro (asked for: PixContrast)",
                  "--pixcontrast-temperature 0.3 (asked for: 0.5)"});
  write_images(data_, 10);
  expect_refusal(resume_with("--threads", "1"), {"a run with 9 images, but there are 10 now"});
  EXPECT_FALSE(fs::exists("none"));
}

TEST_F(RunToResume, NamesTheWayToMoreEpochs) {
  expect_refusal(resume_with("--epochs", "2"), {"add --extend to lengthen the run"});
  change_checkpoint([](engine::TensorFile& file) { file.metadata["--epochs"] = "3"; });
  for (const std::vector<std::string>& more : {{}, std::vector<std::string>{"--extend"}}) {
    expect_refusal(resume_with("--epochs", "2", more), {"made with: --epochs 3 (asked for: 2)",
                                                        "can be lengthened, but not shortened"});
  }
  // The settings are accepted, so it is the lack of tensors that ends the run.
  expect_refusal(resume_with("--epochs", "4", {"--extend"}), {"'steps_done'"});
  expect_refusal(resume_with("--epochs", "3", {"--extend"}), {"'steps_done'"});
  expect_refusal(resume_with("--epochs", "4", {"--extend", "--seed", "1"}),
                 {"made with: --seed 0 (asked for: 1)"});
}

// As if each flag had been added after the checkpoint was written.
TEST_F(RunToResume, TakesDefaultsForSettingsThatOlderCheckpointsLack) {
  const engine::TensorFile whole = engine::read_tensor_file(dir_.path() / "settings");
  const std::set<std::string> given = {"--arch", "--image-size", "--warmup-epoch", "--batch-size",
                                       "--epochs"};
  for (const auto& [flag, value, in_checkpoint] : kFixed) {
    if (given.contains(flag) || flag == "--pixcontrast-temperature") continue;
    change_checkpoint([&, name = flag](engine::TensorFile& file) {
      file.metadata = whole.metadata;
      file.metadata.erase(name);
    });
    expect_refusal(resume_with("--threads", "1"), {"'steps_done'"});
  }
  expect_refusal(resume_with("--lr-decay-rate", "0.5"),
                 {"made with: --lr-decay-rate 0.1 (asked for: 0.5)"});
}

TEST_F(RunToResume, RefusesASettingOrAFormatThatItDoesNotKnow) {
  change_checkpoint([](engine::TensorFile& file) { file.metadata["--later"] = "7"; });
  expect_refusal(resume_with("--threads", "1"), {"does not know: --later 7"});
  change_checkpoint(
      [](engine::TensorFile& file) { file.metadata["format"] = "pixpro checkpoint 9"; });
  expect_refusal(resume_with("--threads", "1"), {"was written by a newer pixpro"});
}

TEST_F(RunToResume, TakesOtherValuesOfFlagsThatLeaveTheNumbers) {
  const std::vector<std::array<std::string, 2>> changes = {
      {"--threads", "1"},     {"--num-workers", "1"},         {"--save-freq", "3"},
      {"--max-broken", "7"},  {"--conv-algorithm", "direct"}, {"--cache-mode", "full"},
      {"--io-patience", "9"}, {"--decode-memory", "64"},
  };
  for (const auto& [flag, value] : changes) {
    // The settings are accepted, so it is the lack of tensors that ends the run.
    expect_refusal(resume_with(flag, value), {"'steps_done'"});
  }
}

}  // namespace
}  // namespace apps
