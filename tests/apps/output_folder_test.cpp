// What pixpro pretrain does with a folder that another run uses or has used, as a user has it.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <map>
#include <thread>

#include "engine/files/process.h"
#include "tests/apps/pretrain_runs.h"

namespace apps {
namespace {

class OutputFolder : public Pretrain {
 protected:
  std::map<std::string, std::string> contents(const fs::path& folder) const {
    std::map<std::string, std::string> all;
    for (const auto& entry : fs::directory_iterator(folder)) {
      if (entry.is_regular_file()) all[entry.path().filename()] = text_of(entry.path());
    }
    return all;
  }

  fs::path out_ = dir_.path() / "run";
};

TEST_F(OutputFolder, WithACheckpointIsKeptUnlessOneSaysSo) {
  ASSERT_EQ(train(out_, {}, 1).status, 0);
  const auto first = contents(out_);
  ASSERT_EQ(first.size(), 4U) << "checkpoint, metrics, picture, weights";
  const fs::path checkpoint = out_ / "current.safetensors";

  const fs::path data = data_;
  data_ = dir_.path() / "nowhere";  // it is refused before images are looked for
  expect_refusal(train(out_, {}, 1), {checkpoint.string(), "--auto-resume", "--overwrite"});
  data_ = data;
  fs::copy_file(checkpoint, dir_.path() / "other.safetensors");
  expect_refusal(train(out_, {"--resume", dir_.path() / "other.safetensors"}, 1),
                 {checkpoint.string(), "--auto-resume", "--overwrite"});
  expect_refusal(train(out_, {"--overwrite", "--auto-resume"}, 1), {"--overwrite"}, 2);
  EXPECT_EQ(contents(out_), first);
  EXPECT_EQ(train(out_, {"--resume", out_ / "." / "current.safetensors"}, 1).status, 0)
      << "going on from the folder's own checkpoint replaces nothing";
  EXPECT_EQ(contents(out_)["metrics.jsonl"], first.at("metrics.jsonl"));

  const auto before = contents(out_);
  const CommandResult again = train(out_, {"--overwrite", "--seed", "1"}, 1);
  ASSERT_EQ(again.status, 0) << again.err;
  EXPECT_NE(again.out.find((out_ / "previous.1").string()), std::string::npos) << again.out;
  EXPECT_EQ(contents(out_ / "previous.1"), before);
  const auto second = contents(out_);
  EXPECT_EQ(second.size(), 4U);
  EXPECT_NE(second.at("weights.safetensors"), first.at("weights.safetensors"));

  // Weights without a checkpoint are an earlier run too.
  fs::remove(checkpoint);
  ASSERT_EQ(train(out_, {}, 1).status, 0);
  EXPECT_EQ(contents(out_ / "previous.2").size(), 3U);
  EXPECT_EQ(contents(out_ / "previous.2")["weights.safetensors"], second.at("weights.safetensors"));
}

TEST_F(OutputFolder, IsKeptWhenANewRunCannotStart) {
  ASSERT_EQ(train(out_, {}, 1).status, 0);
  const auto first = contents(out_);
  fs::create_directory(dir_.path() / "empty");
  data_ = dir_.path() / "empty";
  EXPECT_EQ(train(out_, {"--overwrite"}, 1).status, 1);
  EXPECT_EQ(contents(out_), first);
  EXPECT_FALSE(fs::exists(out_ / "previous.1"));
}

TEST_F(OutputFolder, BelongsToOneRunAtATime) {
  CommandResult second;
  const CommandResult first = run_pixpro(arguments(out_, {}, 1 << 20), [&](pid_t process) {
    while (text_of(out_ / "metrics.jsonl").empty() && kill(process, 0) == 0) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    second = train(out_, {"--auto-resume"}, 1);
    expect_refusal(second, {"is in use", "process " + std::to_string(process),
                            "host " + engine::this_process().host});
    kill(process, SIGTERM);
  });
  EXPECT_EQ(first.status, 75) << first.err;
  EXPECT_FALSE(fs::exists(out_ / "run.lock"));
}

// Another run believed that this one had ended. It must not be overwritten.
TEST_F(OutputFolder, ThatAnotherRunHasTakenOverIsLeftAlone) {
  const CommandResult result = run_pixpro(arguments(out_, {}, 1 << 20), [&](pid_t process) {
    while (text_of(out_ / "metrics.jsonl").empty() && kill(process, 0) == 0) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    std::ofstream(out_ / "run.lock") << "12.34.5.elsewhere\n";
    kill(process, SIGTERM);
  });
  expect_refusal(result, {"taken over by process 12 on host elsewhere"});
  EXPECT_FALSE(fs::exists(out_ / "current.safetensors"));
  EXPECT_EQ(text_of(out_ / "run.lock"), "12.34.5.elsewhere\n");
}

TEST_F(OutputFolder, ThatCannotBeWrittenIsRefusedBeforeAnythingElse) {
  std::ofstream(out_) << "a file";
  data_ = dir_.path() / "nowhere";
  expect_refusal(train(out_, {}, 1), {out_.string()});
}

}  // namespace
}  // namespace apps
