// Tests pixpro/weights/pretrained.cpp: a new run starts from what files there are.
#include "pixpro/weights/pretrained.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "engine/tensor_ops.h"
#include "pixpro/weights/weights.h"
#include "tests/support/error_of.h"
#include "tests/support/training.h"

namespace pixpro {
namespace {

using engine::TensorFile;

TrainerOptions training(uint64_t seed) {
  TrainerOptions options = test_support::small_training();
  options.seed = seed;
  return options;
}

class Pretrained : public testing::Test {
 protected:
  Pretrained() {
    const test_support::Batch batch = test_support::training_batch(2, 32);
    source_.step({batch.views, batch.boxes});
    file_ = source_.state();  // as in a checkpoint
  }

  using Values = std::map<std::string, std::vector<double>>;
  static Values values_of(Trainer& trainer) {
    Values values;
    for (const layers::NamedTensor& t : state_of(trainer.model())) {
      values[t.name] = engine::to_values(t.tensor);
    }
    return values;
  }

  Trainer source_{training(0)}, target_{training(1)};
  TensorFile file_;
};

TEST_F(Pretrained, WeightsAndCheckpointsFitWithoutRemarks) {
  for (const TensorFile& file : {file_, weights_of(source_.model())}) {
    Trainer target(training(1));
    const StartReport report = start_from(file, target.model());
    EXPECT_TRUE(report.missing.empty() && report.unused.empty());
    EXPECT_EQ(values_of(target), values_of(source_));
    EXPECT_EQ(target.steps_done(), 0);
  }
}

// Both encoders start from the one in the file, whether or not its names have a prefix.
TEST_F(Pretrained, ABackboneAloneStartsBothEncoders) {
  const Values learnt = values_of(source_), fresh = values_of(target_);
  for (const std::string prefix : {"encoder.", ""}) {
    TensorFile backbone;
    for (const auto& [name, tensor] : file_.tensors) {
      if (name.starts_with("encoder.")) backbone.tensors[prefix + name.substr(8)] = tensor;
    }
    backbone.tensors[prefix + "fc.weight"] = engine::zeros({10, 512});
    Trainer target(training(1));
    const StartReport report = start_from(backbone, target.model());
    EXPECT_EQ(report.unused, std::vector<std::string>{prefix + "fc.weight"});
    Values found = values_of(target);
    for (const auto& [name, values] : found) {
      const bool from_file = name.starts_with("encoder");
      std::string source = name;
      if (name.starts_with("encoder_k.")) source.replace(0, 10, "encoder.");
      EXPECT_EQ(values, from_file ? learnt.at(source) : fresh.at(name)) << name;
      EXPECT_EQ(std::ranges::count(report.missing, name), from_file ? 0 : 1) << name;
    }
  }
}

TEST_F(Pretrained, TheMomentumEncoderOfTheFileIsUsed) {
  file_.tensors["encoder_k.conv1.weight"] = engine::full({64, 3, 7, 7}, 0.5);
  start_from(file_, target_.model());
  EXPECT_EQ(values_of(target_)["encoder_k.conv1.weight"][0], 0.5);
  EXPECT_NE(values_of(target_)["encoder.conv1.weight"][0], 0.5);
}

TEST_F(Pretrained, WhatIsWrongIsNamedAndChangesNothing) {
  const Values before = values_of(target_);
  const auto expect_refused = [&](const TensorFile& file, const std::string& words) {
    const std::string message = test_support::error_of([&] { start_from(file, target_.model()); });
    EXPECT_NE(message.find(words), std::string::npos) << message;
    EXPECT_EQ(values_of(target_), before);
  };
  TensorFile bad = file_;
  bad.tensors["projector.linear1.weight"] = engine::zeros({1, 1});
  expect_refused(bad, "'projector.linear1.weight' has the shape [1,1]");
  bad = file_;
  bad.tensors["encoder.conv1.weight"] = engine::full({64, 3, 7, 7}, std::nan(""));
  expect_refused(bad, "'encoder.conv1.weight' holds a value that is not a finite number");
  bad.tensors = {{"bert.embeddings", engine::zeros({3})}};
  expect_refused(bad, "holds no weights of this model");
  expect_refused({}, "holds no weights of this model");
}

}  // namespace
}  // namespace pixpro
