// Runs that signals, closed outputs, full disks or errors end, as a user has them.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "engine/files/tensor_file.h"
#include "engine/tensor_ops.h"
#include "tests/apps/pretrain_runs.h"

namespace apps {
namespace {

constexpr int kInterrupted = 75;

// Waits until the file has more than `lines` lines.
void wait_for_lines(const fs::path& file, int64_t lines) {
  const auto most = std::chrono::steady_clock::now() + std::chrono::minutes(2);
  while (lines_of(text_of(file)) <= lines && std::chrono::steady_clock::now() < most) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

// A shell command line; "$PIXPRO" is the program.
CommandResult run_shell(const std::string& line, const std::function<void(pid_t)>& meanwhile = {}) {
  return test_support::run_command("/bin/bash", {"-c", "PIXPRO=" PIXPRO_BINARY "; " + line},
                                   meanwhile);
}

class Interrupt : public Pretrain {
 protected:
  // The command line of a run that never ends by itself.
  std::string endless(const std::string& more = "") const {
    std::string line = "\"$PIXPRO\"";
    for (const std::string& word : arguments(out_, {}, 1 << 20)) line += " '" + word + "'";
    return line + " " + more;
  }
  std::function<void(pid_t)> signal_after(int64_t steps, int signal) const {
    return [=, metrics = out_ / "metrics.jsonl"](pid_t process) {
      wait_for_lines(metrics, steps);
      kill(process, signal);
    };
  }
  int64_t saved_steps() const {
    const engine::TensorFile file = engine::read_tensor_file(out_ / "current.safetensors");
    return static_cast<int64_t>(engine::item(find_tensor(file, "steps_done")));
  }
  std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(out_)) names.push_back(entry.path().filename());
    std::ranges::sort(names);
    return names;
  }
  // The run has ended in order: everything is saved, nothing is left.
  void expect_saved() const {
    EXPECT_EQ(saved_steps(), lines_of(text_of(out_ / "metrics.jsonl")));
    EXPECT_EQ(files(),
              (std::vector<std::string>{"current.safetensors", "metrics.jsonl", "views.png"}));
  }

  fs::path out_ = dir_.path() / "run";
};

TEST_F(Interrupt, EverySignalThatAsksToEndIsFollowed) {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGXCPU}) {
    const CommandResult result = run_pixpro(arguments(out_, {}, 1 << 20), signal_after(0, signal));
    expect_refusal(result, {"interrupted after step ", "--auto-resume goes on from"}, kInterrupted);
    expect_saved();
    fs::remove_all(out_);
  }
}

TEST_F(Interrupt, NohupStillWorks) {
  const CommandResult result = run_shell("trap '' HUP; exec " + endless(), [&](pid_t process) {
    wait_for_lines(out_ / "metrics.jsonl", 0);
    kill(process, SIGHUP);
    wait_for_lines(out_ / "metrics.jsonl", lines_of(text_of(out_ / "metrics.jsonl")) + 1);
    kill(process, SIGTERM);
  });
  EXPECT_EQ(result.status, kInterrupted) << result.err;
  EXPECT_GT(saved_steps(), 2);
}

// The reader ends with the same Ctrl-C, or has seen enough.
TEST_F(Interrupt, AReaderThatLeavesEndsNothing) {
  const CommandResult result =
      run_shell(endless("| head -1; exit ${PIPESTATUS[0]}"), [&](pid_t shell) {
        wait_for_lines(out_ / "metrics.jsonl", 2);
        // The lock names the program, which is a child of the shell.
        const std::string lock = text_of(out_ / "run.lock");
        ASSERT_NE(std::stoi(lock), shell);
        kill(std::stoi(lock), SIGINT);
      });
  EXPECT_EQ(result.status, kInterrupted) << result.err;
  expect_saved();
}

TEST_F(Interrupt, AFullLogEndsNothing) {
  if (!fs::exists("/dev/full")) GTEST_SKIP() << "no /dev/full";
  std::string line = "\"$PIXPRO\"";
  for (const std::string& word : arguments(out_, {}, 2)) line += " '" + word + "'";
  EXPECT_EQ(run_shell(line + " > /dev/full 2> /dev/full").status, 0);
  EXPECT_TRUE(fs::exists(out_ / "weights.safetensors"));
  EXPECT_EQ(run_shell(line + " --overwrite >&- 2>&-").status, 0);
  EXPECT_EQ(read_metrics(out_ / "metrics.jsonl").size(), 4U) << "and nothing else is in it";
  EXPECT_EQ(run_shell("\"$PIXPRO\" trace --arch resnet18 --image-size 33 --batch-size 1 --out '" +
                      (dir_.path() / "trace").string() + "' > /dev/full")
                .status,
            1)
      << "what it prints is its result";
}

// Nobody reads the pipe, and it is full after the first lines.
TEST_F(Interrupt, AReaderThatDoesNotReadDelaysNothing) {
  const CommandResult result = run_shell(
      "mkfifo " + (dir_.path() / "pipe").string() + "; exec 3<> " +
          (dir_.path() / "pipe").string() +
          "; head -c 65000 /dev/zero >&3; head -c 536 /dev/zero >&3; exec " + endless(">&3"),
      signal_after(3, SIGTERM));
  EXPECT_EQ(result.status, kInterrupted) << result.err;
  expect_saved();
}

// The run looks at 64 large images for the bits that they use, which takes seconds.
TEST_F(Interrupt, BeforeTheFirstStepLeavesNothing) {
  const fs::path out = dir_.path() / "new" / "run", large = dir_.path() / "large";
  std::ofstream(large) << "P5 4000 4000 65535\n";
  fs::resize_file(large, fs::file_size(large) + 2 * 4000 * 4000);
  for (int i = 0; i < 64; ++i) fs::create_symlink(large, data_ / (std::to_string(i) + ".pgm"));
  const CommandResult result = run_pixpro(arguments(out, {}, 2), [&](pid_t process) {
    wait_for_lines(out / "run.lock", 0);
    kill(process, SIGTERM);
  });
  expect_refusal(result, {"interrupted before the first step"}, kInterrupted);
  EXPECT_FALSE(fs::exists(dir_.path() / "new"));
}

// A loss that is not a number leaves the weights as they were; they are saved.
TEST_F(Interrupt, ALossThatIsNotANumberLosesNothing) {
  const CommandResult result =
      run_pixpro(arguments(out_, {"--optimizer", "sgd", "--base-lr", "1e12"}, 1 << 10));
  expect_refusal(result, {"is not a finite number", "--auto-resume goes on from"});
  EXPECT_GT(saved_steps(), 0);
  EXPECT_EQ(lines_of(text_of(out_ / "metrics.jsonl")), saved_steps());
  EXPECT_FALSE(fs::exists(out_ / "run.lock"));
}

// A limit on the size of files acts as a full disk, for checkpoints and the picture.
TEST_F(Interrupt, WhatCannotBeSavedIsReportedAndTheRunGoesOn) {
  std::string line = "ulimit -f 100; \"$PIXPRO\"";
  for (const std::string& word : arguments(out_, {"--save-freq", "1"}, 3))
    line += " '" + word + "'";
  const CommandResult result = run_shell(line);
  EXPECT_EQ(result.status, 1) << "the last checkpoint is an error";
  EXPECT_EQ(lines_of(result.err), 4) << result.err;
  EXPECT_NE(result.err.find("views.png is missing, which does no harm"), std::string::npos);
  EXPECT_NE(result.err.find("The run goes on"), std::string::npos) << result.err;
  EXPECT_NE(result.err.find("nothing has been saved: "), std::string::npos);
  EXPECT_EQ(lines_of(text_of(out_ / "metrics.jsonl")), 6);
  EXPECT_EQ(files(), std::vector<std::string>{"metrics.jsonl"});
}

TEST_F(Interrupt, WhatAKilledRunLeavesIsRemoved) {
  ASSERT_EQ(train(out_, {}, 1).status, 0);
  const CommandResult killed =
      run_pixpro(arguments(dir_.path() / "killed", {}, 1 << 20), [&](pid_t process) {
        wait_for_lines(dir_.path() / "killed" / "metrics.jsonl", 0);
        kill(process, SIGKILL);
      });
  EXPECT_EQ(killed.status, 128 + SIGKILL);
  std::string process = text_of(dir_.path() / "killed" / "run.lock");
  process.resize(process.find('\n'));
  fs::copy_file(dir_.path() / "killed" / "run.lock", out_ / "run.lock");
  std::ofstream(out_ / (".current.safetensors." + process + ".3.tmp")) << "half";
  const CommandResult result = train(out_, {"--auto-resume"}, 1);
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_NE(result.out.find("was in use by process "), std::string::npos) << result.out;
  EXPECT_EQ(files(), (std::vector<std::string>{"current.safetensors", "metrics.jsonl", "views.png",
                                               "weights.safetensors"}));
}

// Packing these takes some seconds.
TEST_F(Interrupt, PackLeavesNothingOrTheNextOneRemovesIt) {
  const fs::path many = dir_.path() / "many", packs = dir_.path() / "packs";
  fs::create_directory(many);
  fs::create_directory(packs);
  for (int i = 0; i < 20'000; ++i) {
    fs::create_symlink(data_ / "picture0.png", many / (std::to_string(i) + ".png"));
  }
  const auto pack = [&](const fs::path& data, const std::function<void(pid_t)>& meanwhile) {
    return run_pixpro(
        {"pack", data.string(), (packs / "photos.pack").string(), "--shorter-side", "90"},
        meanwhile);
  };
  const auto end_by = [&](int signal) {
    return [=](pid_t process) {
      while (fs::is_empty(packs) && kill(process, 0) == 0) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
      kill(process, signal);
    };
  };
  const CommandResult stopped = pack(many, end_by(SIGTERM));
  expect_refusal(stopped, {"interrupted", "photos.pack"}, 128 + SIGTERM);
  EXPECT_TRUE(fs::is_empty(packs));
  EXPECT_EQ(pack(many, end_by(SIGKILL)).status, 128 + SIGKILL);
  EXPECT_FALSE(fs::is_empty(packs));
  EXPECT_EQ(pack(data_, {}).status, 0);
  EXPECT_EQ(std::distance(fs::directory_iterator(packs), {}), 1);
}

}  // namespace
}  // namespace apps
