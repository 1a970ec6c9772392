// Runs that are interrupted and resumed, as a user has them.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "engine/files/tensor_file.h"
#include "engine/tensor_ops.h"
#include "pixpro/data/batches/sampler.h"
#include "pixpro/data/sources/folder.h"
#include "tests/apps/pretrain_runs.h"

namespace apps {
namespace {

class Resume : public Pretrain {
 protected:
  std::string metrics_text(const char* run) const {
    return text_of(dir_.path() / run / "metrics.jsonl");
  }
  fs::path checkpoint(const char* run) const { return dir_.path() / run / "current.safetensors"; }
  int64_t steps_in(const fs::path& path) const {
    const engine::TensorFile file = engine::read_tensor_file(path);
    return static_cast<int64_t>(engine::item(find_tensor(file, "steps_done")));
  }
};

// The lines without what depends on the clock or on when the run was started.
std::vector<nlohmann::json> timeless(const fs::path& metrics) {
  std::vector<nlohmann::json> lines = read_metrics(metrics);
  for (nlohmann::json& line : lines) {
    for (const char* key : {"images_per_second", "wait_fraction", "broken_images",
                            "broken_images_by_reason", "skipped_files", "skipped_folders",
                            "skipped_files_by_reason", "skipped_folders_by_reason"}) {
      line.erase(key);
    }
  }
  return lines;
}

// A seed with which the image that the first epoch leaves out (it uses 8 of 9) is read late in the
// second one, long after the checkpoint between them.
uint64_t seed_that_leaves_one_for_later() {
  for (uint64_t seed = 0;; ++seed) {
    const int64_t left_out = pixpro::epoch_order(9, seed, 0)[8];
    const std::vector<int64_t> next = pixpro::epoch_order(9, seed, 1);
    if (std::find(next.begin() + 6, next.begin() + 8, left_out) != next.begin() + 8) return seed;
  }
}

// 4 steps per epoch. Two images are broken, one in each epoch, so a run that allows one stops in
// the second epoch. What it has done by then is saved.
TEST_F(Resume, GivesTheBytesOfARunThatWasNeverInterrupted) {
  const uint64_t seed = seed_that_leaves_one_for_later();
  const pixpro::ImageList images = pixpro::list_images(data_);
  const std::vector<int64_t> order = pixpro::epoch_order(9, seed, 0);
  for (const size_t place : {0, 8}) {
    std::ofstream(data_ / images.path(order[place])) << "not an image";
  }
  const auto run = [&](const char* out, const char* allowed) {
    return run_pixpro({"pretrain",
                       "--arch",
                       "resnet18",
                       "--image-size",
                       "33",
                       "--batch-size",
                       "2",
                       "--epochs",
                       "2",
                       "--warmup-epoch",
                       "1",
                       "--base-lr",
                       "4",
                       "--threads",
                       "2",
                       "--num-workers",
                       "1",
                       "--save-freq",
                       "1",
                       "--auto-resume",
                       "--seed",
                       std::to_string(seed),
                       "--max-broken",
                       allowed,
                       "--data-dir",
                       data_.string(),
                       "--output-dir",
                       (dir_.path() / out).string()});
  };
  const CommandResult straight = run("straight", "2");
  ASSERT_EQ(straight.status, 0) << straight.err;
  EXPECT_EQ(straight.out.find("going on"), std::string::npos) << straight.out;

  const CommandResult stopped = run("resumed", "1");
  EXPECT_EQ(stopped.status, 1);
  EXPECT_NE(stopped.err.find("2 of the 9 images are broken"), std::string::npos) << stopped.err;
  const int64_t done = steps_in(checkpoint("resumed"));
  EXPECT_GE(done, 4);
  EXPECT_LT(done, 8);
  EXPECT_FALSE(fs::exists(dir_.path() / "resumed" / "weights.safetensors"));

  const CommandResult resumed = run("resumed", "2");
  ASSERT_EQ(resumed.status, 0) << resumed.err;
  EXPECT_NE(resumed.out.find("going on after step " + std::to_string(done) + " of 8"),
            std::string::npos)
      << resumed.out;
  EXPECT_GE(lines_of(resumed.err), 1) << "images are judged anew: " << resumed.err;
  const auto weights = [&](const char* out) {
    return text_of(dir_.path() / out / "weights.safetensors");
  };
  EXPECT_TRUE(weights("straight") == weights("resumed"));
  EXPECT_EQ(timeless(dir_.path() / "straight" / "metrics.jsonl"),
            timeless(dir_.path() / "resumed" / "metrics.jsonl"));

  const std::string before = weights("resumed"), metrics = metrics_text("resumed");
  const CommandResult again = run("resumed", "2");
  EXPECT_EQ(again.status, 0) << again.err;
  EXPECT_TRUE(weights("resumed") == before);
  EXPECT_EQ(metrics_text("resumed"), metrics);
}

// Waits until a run has done more than `steps` steps, then signals it twice in a row, as `timeout`
// does.
std::function<void(pid_t)> end_after(const fs::path& metrics, int64_t steps, int signal) {
  return [=](pid_t process) {
    const auto most = std::chrono::steady_clock::now() + std::chrono::minutes(5);
    while (lines_of(text_of(metrics)) <= steps && std::chrono::steady_clock::now() < most) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    kill(process, signal);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    kill(process, signal);
  };
}

TEST_F(Resume, SavesOnASignalAndRecordsEveryStepOnce) {
  const fs::path out = dir_.path() / "run", metrics = out / "metrics.jsonl";
  const std::vector<std::string> command = arguments(out, {"--auto-resume"}, 1 << 20);
  int64_t done = 0;
  std::string earlier;
  for (const int signal : {SIGTERM, SIGINT, SIGTERM}) {
    const CommandResult result = run_pixpro(command, end_after(metrics, done, signal));
    done = steps_in(checkpoint("run"));
    expect_refusal(result,
                   {"interrupted after step " + std::to_string(done) + " of 2097152",
                    "--auto-resume goes on from '" + checkpoint("run").string() + "'"},
                   75);
    const std::string text = metrics_text("run");
    EXPECT_TRUE(text.starts_with(earlier)) << earlier << " is not in " << text;
    ASSERT_EQ(lines_of(text), done);
    EXPECT_GT(done, lines_of(earlier));
    const std::vector<nlohmann::json> lines = read_metrics(metrics);
    for (int64_t step = 0; step < done; ++step) {
      EXPECT_EQ(lines[static_cast<size_t>(step)]["step"], step);
      EXPECT_EQ(lines[static_cast<size_t>(step)]["epoch"], step / 2);
    }
    earlier = text;
    // As after a crash: a step after the checkpoint, and an incomplete last line.
    const std::string last = nlohmann::json{{"step", done}}.dump();
    std::ofstream(metrics, std::ios::app) << last << "\n" << last.substr(0, 5);
    done += 1;  // the next run finds this line before it drops it
  }
}

TEST_F(Resume, RefusesWhatIsNotACheckpointAndChangesNothing) {
  const fs::path run = dir_.path() / "run", weights = run / "weights.safetensors";
  ASSERT_EQ(train(run, {}, 1).status, 0);
  const std::string whole = text_of(checkpoint("run")), metrics = metrics_text("run");
  const fs::path bad = dir_.path() / "bad", out = dir_.path() / "out";
  const auto refusal = [&](const fs::path& file) {
    const CommandResult result = train(out, {"--resume", file.string()}, 1);
    EXPECT_FALSE(fs::exists(out));
    return result;
  };
  expect_refusal(refusal(dir_.path() / "nowhere"), {"nowhere", "No such file"});
  expect_refusal(refusal(""), {"No such file"});
  expect_refusal(refusal(weights), {weights.string(), "is not a checkpoint of pretrain"});
  expect_refusal(refusal(run / "views.png"), {"views.png", "not a safetensors file"});
  for (const size_t bytes :
       {size_t{0}, size_t{7}, size_t{1000}, whole.size() / 2, whole.size() - 1}) {
    std::ofstream(bad, std::ios::binary) << whole.substr(0, bytes);
    expect_refusal(refusal(bad), {bad.string()});
  }
  fs::resize_file(checkpoint("run"), whole.size() / 2);
  expect_refusal(train(run, {"--auto-resume"}, 1), {checkpoint("run").string()});
  EXPECT_EQ(metrics_text("run"), metrics);
  EXPECT_EQ(fs::file_size(checkpoint("run")), whole.size() / 2);
}

// One step per epoch, of small views.
class ShortRuns : public Resume {
 protected:
  CommandResult run(const char* out, int epochs, std::vector<std::string> more = {}) const {
    more.insert(more.end(), {"--image-size", "33", "--batch-size", "8", "--threads", "1",
                             "--num-workers", "1", "--warmup-epoch", "0"});
    return train(dir_.path() / out, more, epochs);
  }
  fs::path metrics(const char* run) const { return dir_.path() / run / "metrics.jsonl"; }
  std::string weights(const char* run) const {
    return text_of(dir_.path() / run / "weights.safetensors");
  }
};

TEST_F(ShortRuns, AreExtendedFromTheirEnd) {
  ASSERT_EQ(run("run", 2).status, 0);
  const std::string history = metrics_text("run");
  expect_refusal(run("run", 4, {"--auto-resume"}), {"--epochs 2 (asked for: 4)", "--extend"});

  const CommandResult extended = run("run", 4, {"--auto-resume", "--extend"});
  ASSERT_EQ(extended.status, 0) << extended.err;
  EXPECT_NE(extended.out.find("extended from 2 to 4 epochs"), std::string::npos) << extended.out;
  EXPECT_TRUE(metrics_text("run").starts_with(history));
  const std::vector<nlohmann::json> lines = read_metrics(metrics("run"));
  ASSERT_EQ(lines.size(), 4U);
  // From the second step on, half of the cosine is left.
  EXPECT_NEAR(lines[2]["lr"], 8.0 / 256 / 2, 1e-6);
  EXPECT_NEAR(lines[2]["momentum"], 0.995, 1e-9);

  const std::string learnt = weights("run");
  for (const std::vector<std::string>& more :
       {std::vector<std::string>{"--auto-resume"}, {"--auto-resume", "--extend"}}) {
    const CommandResult again = run("run", 4, more);
    EXPECT_EQ(again.status, 0) << again.err;
    EXPECT_EQ(again.out.find("extended"), std::string::npos) << again.out;
    EXPECT_TRUE(weights("run") == learnt);
  }
  expect_refusal(run("run", 2, {"--auto-resume", "--extend"}), {"--epochs 4 (asked for: 2)"});
}

TEST_F(ShortRuns, SayWhenTheirHistoryIsGone) {
  ASSERT_EQ(run("run", 2).status, 0);
  const std::string whole = metrics_text("run");
  fs::remove(metrics("run"));
  const CommandResult alone = run("run", 2, {"--auto-resume"});
  ASSERT_EQ(alone.status, 0) << alone.err;
  EXPECT_NE(alone.out.find("metrics.jsonl' does not hold the first 2 steps"), std::string::npos)
      << alone.out;
  EXPECT_EQ(metrics_text("run"), "");

  const CommandResult elsewhere =
      run("other", 3, {"--extend", "--resume", checkpoint("run").string()});
  ASSERT_EQ(elsewhere.status, 0) << elsewhere.err;
  EXPECT_NE(elsewhere.out.find("does not hold the first 2 steps"), std::string::npos);
  const std::vector<nlohmann::json> lines = read_metrics(metrics("other"));
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_EQ(lines[0]["step"], 2);
  const CommandResult again = run("other", 4, {"--extend", "--auto-resume"});
  EXPECT_EQ(again.status, 0) << again.err;
  EXPECT_EQ(read_metrics(metrics("other")).size(), 2U);
  EXPECT_EQ(again.out.find("does not hold"), std::string::npos) << again.out;
}

// What version 1 wrote: the history is in the checkpoint, with the numbers of broken images.
TEST_F(ShortRuns, GoOnFromOlderCheckpoints) {
  ASSERT_EQ(run("run", 2).status, 0);
  ASSERT_EQ(run("run", 3, {"--auto-resume", "--extend"}).status, 0);
  ASSERT_EQ(run("older", 2).status, 0);
  const std::vector<nlohmann::json> before = read_metrics(metrics("older"));
  engine::TensorFile file = engine::read_tensor_file(checkpoint("older"));
  file.metadata["format"] = "pixpro checkpoint 1";
  file.metadata.erase("metrics_last_line");
  file.metadata.erase("--pixcontrast-temperature");
  for (const char* name : {"metrics_bytes", "skipped_steps"}) file.tensors.erase(name);
  Tensor table({2, 14}, engine::DType::f64);
  double* cell = table.data<double>();
  for (const nlohmann::json& line : before) {
    for (const char* name :
         {"epoch", "step", "loss", "lr", "momentum", "feature_std", "positives_per_image",
          "positive_similarity", "other_similarity", "images_per_second", "wait_fraction",
          "broken_images", "skipped_steps", "loss_scale"}) {
      *cell++ = line[name].get<double>();
    }
  }
  file.tensors["metrics"] = table;
  file.tensors["broken_images"] = engine::from_values<int64_t>({1}, {5});
  engine::write_tensor_file(checkpoint("older"), file);
  std::ofstream(metrics("older")) << "lost";

  const CommandResult resumed = run("older", 3, {"--auto-resume", "--extend"});
  ASSERT_EQ(resumed.status, 0) << resumed.err;
  EXPECT_TRUE(weights("older") == weights("run"));
  EXPECT_EQ(timeless(metrics("older")), timeless(metrics("run")));
}

TEST_F(ShortRuns, StartFromWeightsUnlessThereIsACheckpoint) {
  ASSERT_EQ(run("run", 1).status, 0);
  const std::string file = (dir_.path() / "run" / "weights.safetensors").string();
  // A learning rate of 0 leaves what the run starts from.
  const std::vector<std::string> start = {
      "--pretrained-model", file,   "--auto-resume", "--base-lr", "0",
      "--lr-scheduler",     "step", "--seed",        "5"};
  const auto weight = [&](const char* run) {
    const fs::path weights = dir_.path() / run / "weights.safetensors";
    return engine::to_values(
        find_tensor(engine::read_tensor_file(weights), "encoder.conv1.weight"));
  };
  const CommandResult started = run("new", 1, start);
  ASSERT_EQ(started.status, 0) << started.err;
  EXPECT_EQ(started.err, "");
  EXPECT_EQ(weight("new"), weight("run"));
  EXPECT_EQ(read_metrics(metrics("new")).size(), 1U);
  fs::remove(file);
  EXPECT_EQ(run("new", 1, start).status, 0) << "the checkpoint has all that is needed";
  expect_refusal(run("newer", 1, start), {file, "No such file"});
}

TEST_F(ShortRuns, NameWhatAWeightFileLacksAndWhatItHasTooMuch) {
  engine::TensorFile file;
  file.tensors["conv1.weight"] = engine::zeros({64, 3, 7, 7});
  for (int i = 0; i < 25; ++i) {
    file.tensors["fc." + std::to_string(100 + i)] = engine::zeros({1});
  }
  const fs::path path = dir_.path() / "backbone.safetensors";
  engine::write_tensor_file(path, file);
  const CommandResult result = run("run", 1, {"--pretrained-model", path.string()});
  ASSERT_EQ(result.status, 0) << result.err;
  EXPECT_NE(result.err.find("missing in the file, keeps its initial value: encoder.bn1.weight\n"),
            std::string::npos)
      << result.err;
  EXPECT_NE(result.err.find("not in the model, ignored: fc.119\n"), std::string::npos);
  EXPECT_NE(result.err.find("not in the model, ignored: and 5 more\n"), std::string::npos);
  EXPECT_EQ(lines_of(result.err), 42);
}

TEST_F(ShortRuns, SayThatTheWarmUpIsLongerThanTheRun) {
  const CommandResult result = train(
      dir_.path() / "run", {"--image-size", "32", "--batch-size", "8", "--warmup-epoch", "5"}, 1);
  ASSERT_EQ(result.status, 0) << result.err;
  EXPECT_NE(result.out.find("the warm-up of 5 epochs does not end within the run of 1 epochs"),
            std::string::npos)
      << result.out;
  EXPECT_EQ(read_metrics(metrics("run")).size(), 1U) << "views of 32 pixels have one cell";
  EXPECT_EQ(run("other", 1).out.find("warm-up"), std::string::npos);
}

}  // namespace
}  // namespace apps
