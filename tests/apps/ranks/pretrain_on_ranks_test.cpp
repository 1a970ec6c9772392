// Runs of pixpro pretrain and replay that mpirun starts, as a user has them.
#include "tests/apps/ranks/pretrain_on_ranks.h"

#include "engine/files/tensor_file.h"
#include "engine/tensor_ops.h"
#include "pixpro/weights/weights.h"
#include "tests/support/golden.h"
#include "tests/support/training.h"

namespace apps {
namespace {

using engine::TensorFile;

// In lines of metrics and in weights.
void expect_near(const fs::path& found, const fs::path& expected, double most) {
  const auto a = read_metrics(found / "metrics.jsonl"),
             b = read_metrics(expected / "metrics.jsonl");
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < b.size(); ++i) {
    for (const char* key :
         {"step", "loss", "lr", "momentum", "feature_std", "positive_similarity"}) {
      EXPECT_NEAR(a[i][key].get<double>(), b[i][key].get<double>(), most) << key << " " << i;
    }
  }
  const TensorFile weights = engine::read_tensor_file(found / "weights.safetensors");
  for (const auto& [name, tensor] :
       engine::read_tensor_file(expected / "weights.safetensors").tensors) {
    EXPECT_LE(test_support::distance(find_tensor(weights, name), tensor, 1e-3), most) << name;
  }
}

TEST_F(OnRanks, TrainAsOneRankDoesAndWithTheSameBitsAgain) {
  ASSERT_EQ(train(run("one"), {"--precision", "f64"}).status, 0);
  const CommandResult result = train_on_two(run("two"), 2, {"--precision", "f64"});
  ASSERT_EQ(result.status, 0) << result.err;
  EXPECT_NE(result.out.find("ranks: 2 with 2 images per step each, 2 of them on this machine"),
            std::string::npos)
      << result.out;
  expect_near(run("two"), run("one"), 1e-7);
  ASSERT_EQ(train_on_two(run("again"), 2, {"--precision", "f64"}).status, 0);
  EXPECT_EQ(weights("again"), weights("two"));
}

// A signal that mpirun passes on saves the work of all ranks; they go on with the same bits, or, on
// one rank, with the same images.
TEST_F(OnRanks, StopTogetherAndGoOn) {
  ASSERT_EQ(train_on_two(run("whole"), 3).status, 0);
  const CommandResult stopped = train_on_two(run("parts"), 3, {}, [&](pid_t mpirun) {
    wait_until([&] { return steps_of("parts") > 0; });
    kill(mpirun, SIGUSR1);
  });
  EXPECT_EQ(stopped.status, 75) << stopped.err;
  EXPECT_NE(stopped.err.find("interrupted after step "), std::string::npos) << stopped.err;
  fs::copy(run("parts"), run("alone"));
  ASSERT_EQ(train_on_two(run("parts"), 3, {"--auto-resume"}).status, 0);
  EXPECT_EQ(weights("parts"), weights("whole"));
  const CommandResult alone = train(run("alone"), {"--auto-resume"}, 3);
  ASSERT_EQ(alone.status, 0) << alone.err;
  EXPECT_NE(alone.out.find("the run had 2 ranks and goes on with 1"), std::string::npos);
  expect_near(run("alone"), run("whole"), 1e-2);
}

// A script that gives each rank a seed of its own.
TEST_F(OnRanks, MustBeStartedAlike) {
  std::vector<std::string> line = {
      "-c", R"(exec "$0" "$@" --seed ${OMPI_COMM_WORLD_RANK:-$PMI_RANK})", PIXPRO_BINARY};
  const std::vector<std::string> flags = rank_arguments(run("run"), 2, {});
  line.insert(line.end(), flags.begin(), flags.end());
  const CommandResult result = run_on_ranks(2, "/bin/sh", line);
  EXPECT_NE(result.status, 0);
  EXPECT_NE(result.err.find("rank 1 has --seed 1, rank 0 has 0"), std::string::npos) << result.err;
  EXPECT_FALSE(fs::exists(run("run") / "metrics.jsonl"));
}

TEST_F(OnRanks, RefuseABatchThatDoesNotDivide) {
  std::vector<std::string> line = arguments(run("run"), {}, 2);
  const auto batch = std::ranges::find(line, "--batch-size");
  *batch = "--total-batch-size";
  *(batch + 1) = "5";
  const CommandResult result = run_on_ranks(2, PIXPRO_BINARY, line);
  EXPECT_EQ(result.status, 2);
  EXPECT_NE(result.err.find("--total-batch-size 5 does not divide into equal batches for 2 ranks; "
                            "the nearest that do are 4 and 6"),
            std::string::npos)
      << result.err;
  EXPECT_FALSE(fs::exists(run("run")));
}

// Both ranks find broken images, which count together and once.
TEST_F(OnRanks, CountBrokenImagesTogether) {
  for (const char* name : {"picture1.png", "picture4.png", "picture7.png"}) {
    std::ofstream(data_ / name) << "not an image";
  }
  ASSERT_EQ(train_on_two(run("run"), 4, {"--max-broken", "3"}).status, 0);
  const auto last = read_metrics(run("run") / "metrics.jsonl").back();
  EXPECT_EQ(last["broken_images"], 3);
  const CommandResult result = train_on_two(run("few"), 4, {"--max-broken", "2"});
  EXPECT_NE(result.status, 0);
  EXPECT_NE(
      result.err.find("3 of the 9 images are broken, more than the 2 that --max-broken allows"),
      std::string::npos)
      << result.err;
  EXPECT_TRUE(fs::exists(run("few") / "current.safetensors"));
}

// In float64: 3 ranks take 1, 1 and 2 of the 4 images of each micro-batch.
TEST(ReplayOnRanks, GivesTheNumbersOfOneRank) {
  const TempDir dir;
  pixpro::Trainer trainer({.model = {.arch = "resnet18"}, .precision = engine::DType::f64});
  test_support::use_weights_with_gradients(trainer);
  engine::write_tensor_file(dir.path() / "w.safetensors", pixpro::weights_of(trainer.model()));
  TensorFile batches;
  for (const char* name : {"1.0", "2.0", "1.1", "2.1"}) {
    batches.tensors[std::string("view") + name] = test_support::hashed_tensor(
        std::string("view") + name, {8, 3, 33, 33}, 1.7, 0.0, 0, engine::DType::f32);
    batches.tensors[std::string("coord") + name] = test_support::hashed_tensor(
        std::string("coord") + name, {8, 4}, 0.2, 0.5, 0, engine::DType::f32);
  }
  engine::write_tensor_file(dir.path() / "b.safetensors", batches);
  const auto replay = [&](const std::string& name, int ranks) {
    const CommandResult result = run_on_ranks(
        ranks, PIXPRO_BINARY,
        {"replay", "--weights", dir.path() / "w.safetensors", "--batches",
         dir.path() / "b.safetensors", "--out", dir.path() / name, "--arch", "resnet18",
         "--base-lr", "4", "--accumulate", "2", "--precision", "f64", "--threads", "1"});
    EXPECT_EQ(result.status, 0) << result.err;
    EXPECT_EQ(lines_of(result.out), 2) << result.out;
    return engine::read_tensor_file(dir.path() / name);
  };
  const TensorFile one = replay("one", 1), three = replay("three", 3);
  ASSERT_EQ(one.tensors.size(), three.tensors.size());
  for (const auto& [name, tensor] : one.tensors) {
    const double most = name.starts_with("grad.") ? 1e-9 : 1e-7;
    EXPECT_LE(test_support::distance(find_tensor(three, name), tensor, 1e-3), most) << name;
  }
}

}  // namespace
}  // namespace apps
