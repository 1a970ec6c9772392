// The commands on small inputs, as a user runs them.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "engine/files/tensor_file.h"
#include "engine/tensor_ops.h"
#include "pixpro/data/image.h"
#include "pixpro/data/sources/source.h"
#include "pixpro/train/trainer.h"
#include "pixpro/weights/weights.h"
#include "tests/apps/pretrain_runs.h"
#include "tests/support/golden.h"
#include "tests/support/hashed.h"
#include "tests/support/training.h"
#include "tests/support/zip_file.h"

namespace apps {
namespace {

using engine::TensorFile;
using test_support::hashed_tensor;

TEST_F(Pretrain, LeavesWeightsMetricsAndAPicture) {
  const fs::path out = dir_.path() / "run";
  const CommandResult result = train(out);
  ASSERT_EQ(result.status, 0) << result.err;
  EXPECT_NE(result.out.find("epoch 2/2  step 4/4  loss"), std::string::npos) << result.out;
  EXPECT_NE(result.out.find(" images/s  waiting "), std::string::npos) << result.out;
  EXPECT_NE(result.out.find("feature deviation"), std::string::npos) << result.out;

  const std::vector<nlohmann::json> metrics = read_metrics(out / "metrics.jsonl");
  ASSERT_EQ(metrics.size(), 4U);
  for (const char* key :
       {"epoch", "step", "loss", "lr", "momentum", "feature_std", "positives_per_image",
        "positive_similarity", "other_similarity", "wait_fraction", "broken_images"}) {
    EXPECT_TRUE(metrics[3][key].is_number()) << key;
  }
  EXPECT_EQ(metrics[3]["step"], 3);
  EXPECT_EQ(metrics[3]["epoch"], 1);

  pixpro::Trainer trainer({.model = {.arch = "resnet18"}});
  const TensorFile weights = engine::read_tensor_file(out / "weights.safetensors");
  const pixpro::LoadReport report = load_weights(weights, trainer.model());
  EXPECT_TRUE(report.unused.empty() && report.kept.empty());
  // Two views per step, four steps.
  EXPECT_EQ(engine::item(find_tensor(weights, "encoder.bn1.num_batches_tracked")), 8.0);
  EXPECT_GT(pixpro::read_image(out / "views.png").pixels(), 0);
}

TEST_F(Pretrain, GivesTheSameBitsWithAnyNumberOfWorkers) {
  ASSERT_EQ(train(dir_.path() / "a", {"--num-workers", "1"}).status, 0);
  ASSERT_EQ(train(dir_.path() / "b", {"--num-workers", "3"}).status, 0);
  ASSERT_EQ(train(dir_.path() / "c", {"--seed", "1"}).status, 0);
  const auto loss = [&](const char* run) {
    return read_metrics(dir_.path() / run / "metrics.jsonl").back()["loss"].get<double>();
  };
  EXPECT_EQ(loss("a"), loss("b"));
  EXPECT_NE(loss("a"), loss("c"));
}

TEST_F(Pretrain, SkipsABrokenImageAndSaysSo) {
  std::ofstream(dir_.path() / "photos" / "broken.jpg") << "not an image";
  const CommandResult result = train(dir_.path() / "run", {}, 3);
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_NE(result.err.find("broken.jpg"), std::string::npos) << result.err;
  nlohmann::json reasons;  // as the last line says that has them
  for (const nlohmann::json& line : read_metrics(dir_.path() / "run" / "metrics.jsonl")) {
    reasons = line.value("broken_images_by_reason", reasons);
    int64_t sum = 0;
    for (const auto& [reason, count] : reasons.items()) sum += count.get<int64_t>();
    EXPECT_EQ(line["broken_images"], sum);
  }
  EXPECT_EQ(reasons.size(), 1U);
}

TEST_F(Pretrain, StopsIfTooManyImagesAreBroken) {
  for (const char* name : {"broken1.jpg", "broken2.jpg"}) {
    std::ofstream(data_ / name) << "not an image";
  }
  const CommandResult result = train(dir_.path() / "run", {"--max-broken", "1"}, 3);
  EXPECT_EQ(result.status, 1);
  EXPECT_NE(result.err.find("2 of the 11 images are broken, more than the 1 that --max-broken"),
            std::string::npos)
      << result.err;
  for (const char* name : {"skipped: ", "broken1.jpg", "broken2.jpg"}) {
    EXPECT_NE(result.err.find(name), std::string::npos) << result.err;
  }
}

TEST_F(Pretrain, GivesTheSameLossFromAFolderAZipArchiveAndAPackedFile) {
  const fs::path archive = dir_.path() / "archive", pack = dir_.path() / "photos.pack";
  fs::create_directory(archive);
  std::vector<test_support::ZipEntry> entries;
  std::ofstream map(archive / "train_map.txt");
  for (int i = 0; i < 9; ++i) {
    const std::string name = "picture" + std::to_string(i) + ".png";
    entries.push_back({"n01/" + name, text_of(data_ / name)});
    map << "n01/" << name << "\t0\n";
  }
  map.close();
  test_support::write_zip(archive / "train.zip", entries);
  const CommandResult packed = run_pixpro({"pack", data_.string(), pack.string()});
  ASSERT_EQ(packed.status, 0) << packed.err;
  EXPECT_NE(packed.out.find("9 of 9 images"), std::string::npos) << packed.out;

  const auto loss = [&](const char* run) {
    return read_metrics(dir_.path() / run / "metrics.jsonl").back()["loss"].get<double>();
  };
  ASSERT_EQ(train(dir_.path() / "folder", {}, 1).status, 0);
  data_ = pack;
  ASSERT_EQ(train(dir_.path() / "pack", {}, 1).status, 0);
  data_ = archive;
  ASSERT_EQ(train(dir_.path() / "zip", {"--zip", "--cache-mode", "full"}, 1).status, 0);
  EXPECT_EQ(loss("folder"), loss("pack"));
  EXPECT_EQ(loss("folder"), loss("zip"));
}

TEST_F(Pretrain, PackShrinksImagesAndSkipsBrokenOnes) {
  std::ofstream(data_ / "a.jpg") << "not an image";
  const fs::path pack = dir_.path() / "small.pack";
  const CommandResult result =
      run_pixpro({"pack", data_.string(), pack.string(), "--shorter-side", "50"});
  ASSERT_EQ(result.status, 0) << result.err;
  EXPECT_NE(result.out.find("9 of 10 images"), std::string::npos) << result.out;
  EXPECT_NE(result.err.find("a.jpg: the content is not JPEG"), std::string::npos) << result.err;
  const auto source = pixpro::open_packed(pack);
  EXPECT_EQ(source->name(0), pack.string() + "@/picture0.png");
  std::vector<uint8_t> buffer;
  const pixpro::Image image = pixpro::decode_image(source->read(8, buffer));
  EXPECT_EQ(image.width, 60);
  EXPECT_EQ(image.height, 50);
  EXPECT_EQ(run_pixpro({"pack", "/nowhere", pack.string()}).status, 1);
  EXPECT_EQ(pixpro::open_packed(pack)->size(), 9) << "a failure leaves the file as it was";
}

TEST_F(Pretrain, TrainsEveryVariantOfTheMethod) {
  const std::vector<std::vector<std::string>> variants = {
      {"--model", "PixContrast"},
      {"--pixpro-ins-loss-weight", "1", "--pixpro-transform-layer", "2"},
      {"--optimizer", "sgd", "--lr-scheduler", "step", "--lr-decay-epochs", "1", "--base-lr",
       "0.1"},
  };
  for (const std::vector<std::string>& variant : variants) {
    const CommandResult result = train(dir_.path() / variant[1], variant, 1);
    EXPECT_EQ(result.status, 0) << variant[1] << ": " << result.err;
  }
}

TEST_F(Pretrain, TakesTheTemperatureOfPixContrast) {
  std::vector<double> losses;
  for (const char* temperature : {"0.3", "0.1"}) {
    const fs::path out = dir_.path() / temperature;
    const CommandResult result = train(
        out, {"--model", "PixContrast", "--pixcontrast-temperature", temperature, "--threads", "1"},
        1);
    ASSERT_EQ(result.status, 0) << result.err;
    losses.push_back(read_metrics(out / "metrics.jsonl")[0]["loss"]);
  }
  EXPECT_GT(std::abs(losses[0] - losses[1]), 0.005);
}

TEST_F(Pretrain, TrainsOnCudaAsOnTheCpu) {
  if (!engine::kHasCuda) GTEST_SKIP() << "this build has no CUDA";
  ASSERT_EQ(train(dir_.path() / "cpu", {}, 1).status, 0);
  const std::vector<nlohmann::json> expected = read_metrics(dir_.path() / "cpu" / "metrics.jsonl");
  const std::vector<std::pair<std::string, double>> precisions = {
      {"f32", 1e-3}, {"bf16", 0.1}, {"fp16", 0.02}};
  for (const auto& [precision, tolerance] : precisions) {
    const fs::path out = dir_.path() / precision;
    const CommandResult result = train(out, {"--device", "cuda", "--precision", precision}, 1);
    ASSERT_EQ(result.status, 0) << precision << ": " << result.err;
    EXPECT_EQ(result.err, "");
    const std::vector<nlohmann::json> found = read_metrics(out / "metrics.jsonl");
    ASSERT_EQ(found.size(), expected.size());
    for (size_t step = 0; step < found.size(); ++step) {
      EXPECT_NEAR(found[step]["loss"], expected[step]["loss"], tolerance) << precision << step;
    }
    EXPECT_EQ(found.back()["loss_scale"], precision == "fp16" ? 65536.0 : 1.0);
    const TensorFile weights = engine::read_tensor_file(out / "weights.safetensors");
    EXPECT_EQ(find_tensor(weights, "encoder.conv1.weight").dtype(), engine::DType::f32);
    EXPECT_EQ(find_tensor(weights, "encoder.conv1.weight").shape(), (engine::Shape{64, 3, 7, 7}));
  }
}

// The views are the same bytes, so a run in f32 has the same loss.
TEST_F(Pretrain, AugmentsOnCudaAsOnTheCpu) {
  if (!engine::kHasCuda) GTEST_SKIP() << "this build has no CUDA";
  const auto losses = [&](const char* augment_on) {
    const fs::path out = dir_.path() / augment_on;
    const CommandResult result =
        train(out, {"--device", "cuda", "--deterministic", "--augment-on", augment_on}, 1);
    EXPECT_EQ(result.status, 0) << result.err;
    EXPECT_EQ(result.err, "");
    std::vector<double> values;
    for (const nlohmann::json& line : read_metrics(out / "metrics.jsonl")) {
      values.push_back(line["loss"]);
    }
    return values;
  };
  const std::vector<double> expected = losses("cpu");
  EXPECT_EQ(expected.size(), 2U);
  EXPECT_EQ(losses("gpu"), expected);
}

TEST_F(Pretrain, AugmentsOnAGpuOnlyIfItTrainsOnOne) {
  const CommandResult result = train(dir_.path() / "run", {"--augment-on", "gpu"}, 1);
  EXPECT_EQ(result.status, 1);
  EXPECT_NE(result.err.find("--augment-on gpu needs a GPU to train on: add --device cuda"),
            std::string::npos)
      << result.err;
}

TEST(Replay, WritesWhatTheTrainerComputes) {
  const TempDir dir;
  pixpro::Trainer trainer(
      {.model = {.arch = "resnet18"},
       .schedule = {.base = 4.0 * 4 / 256, .total_steps = 20, .warmup_steps = 1},
       .accumulate = 2,
       .precision = engine::DType::f64});
  test_support::use_weights_with_gradients(trainer);
  engine::write_tensor_file(dir.path() / "w.safetensors", pixpro::weights_of(trainer.model()));
  TensorFile batches;
  for (const char* step : {"0", "1"}) {
    for (const char* view : {"1.", "2."}) {
      const std::string name = std::string(view) + step;
      batches.tensors["view" + name] =
          hashed_tensor("view" + name, {4, 3, 33, 33}, 1.7, 0.0, 0, engine::DType::f32);
      batches.tensors["coord" + name] =
          hashed_tensor("coord" + name, {4, 4}, 0.2, 0.5, 0, engine::DType::f32);
    }
  }
  engine::write_tensor_file(dir.path() / "b.safetensors", batches);

  const CommandResult result =
      run_pixpro({"replay", "--weights", dir.path() / "w.safetensors", "--batches",
                  dir.path() / "b.safetensors", "--out", dir.path() / "o.safetensors", "--arch",
                  "resnet18", "--base-lr", "4", "--total-steps", "20", "--warmup-steps", "1",
                  "--accumulate", "2", "--precision", "f64"});
  ASSERT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(result.err, "");
  const TensorFile out = engine::read_tensor_file(dir.path() / "o.safetensors");
  for (const std::string step : {"0", "1"}) {
    const auto both = [&](const char* what) {
      return engine::concatenate_rows(
          {find_tensor(batches, what + ("1." + step)), find_tensor(batches, what + ("2." + step))});
    };
    const pixpro::StepResult expected = trainer.compute_gradients({both("view"), both("coord")});
    EXPECT_NEAR(engine::item(find_tensor(out, "loss." + step)), expected.loss, 1e-12);
    EXPECT_EQ(engine::item(find_tensor(out, "lr." + step)), expected.learning_rate);
    EXPECT_EQ(engine::item(find_tensor(out, "momentum." + step)), expected.momentum);
    if (step == "0") {
      for (const auto& [name, gradient] : test_support::gradients_of(trainer)) {
        EXPECT_LE(test_support::distance(find_tensor(out, "grad." + name), gradient, 1e-9), 1e-9)
            << name;
      }
    }
    trainer.update();
  }
  for (const layers::NamedTensor& t : state_of(trainer.model())) {
    EXPECT_LE(test_support::distance(find_tensor(out, t.name), t.tensor), 1e-9) << t.name;
  }
}

TEST(Trace, WritesTextAndGraph) {
  const TempDir dir;
  const CommandResult result =
      run_pixpro({"trace", "--arch", "resnet18", "--out", dir.path() / "t"});
  ASSERT_EQ(result.status, 0) << result.err;
  std::ifstream text(dir.path() / "t.txt"), graph(dir.path() / "t.dot");
  const std::string lines((std::istreambuf_iterator<char>(text)), {});
  const std::string dot((std::istreambuf_iterator<char>(graph)), {});
  EXPECT_NE(lines.find("encoder.layer4.1.conv2.weight [512,512,3,3]"), std::string::npos);
  EXPECT_NE(lines.find("pixpro_loss"), std::string::npos);
  EXPECT_NE(dot.find("n0 -> n1;"), std::string::npos);
}

TEST(GradCheck, PrintsATableAndPasses) {
  const CommandResult result = run_pixpro({"gradcheck"});
  EXPECT_EQ(result.status, 0);
  EXPECT_NE(result.out.find("batch_norm + residual + relu"), std::string::npos);
  EXPECT_NE(result.out.find(" passed, 0 failed"), std::string::npos) << result.out;
}

TEST(BenchStep, PrintsSpeedMemoryAndKernels) {
  const CommandResult result = run_pixpro({"bench", "step", "--arch", "resnet18", "--image-size",
                                           "64", "--batch-size", "2", "--steps", "2"});
  ASSERT_EQ(result.status, 0) << result.err;
  for (const char* expected :
       {"images/s", "multiply-add", "GFLOP per step", "MiB tensors", "conv2d backward weights",
        "batch_norm backward", "sgd update", "between kernels"}) {
    EXPECT_NE(result.out.find(expected), std::string::npos) << expected << "\n" << result.out;
  }
}

}  // namespace
}  // namespace apps
