// What the ranks send each other in a step, against the formulas of the paper model.
#include <gtest/gtest.h>

#include <functional>

#include "tests/paper_model/step_messages.h"
#include "tests/support/thread_ranks.h"
#include "tests/support/training.h"

namespace pixpro {
namespace {

using engine::Communicator;
using test_support::Batch;

struct Case {
  std::string name;
  TrainerOptions options;
};

class StepTraffic : public testing::TestWithParam<Case> {};

TEST_P(StepTraffic, HasTheMessagesAndBytesOfTheFormula) {
  test_support::on_ranks(4, [](Communicator& ranks) {
    TrainerOptions options = GetParam().options;
    options.ranks = &ranks;
    Trainer trainer(options);
    paper_model::StepMessages expected =
        paper_model::step_messages(trainer.model(), {.output_channels = options.model.out_channels,
                                                     .buckets = options.buckets,
                                                     .accumulate = options.accumulate});
    if (!options.sync_batch_norm) expected[kOnlineLane] = expected[kTargetLane] = {};
    const Batch batch = test_support::training_batch(4 * options.accumulate, 33);
    for (int lane = 0; lane < kLanes; ++lane) ranks.lane(lane).measure_traffic();
    trainer.step(part_of_rank({batch.views, batch.boxes}, ranks.rank(), 4, options.accumulate));
    for (int lane = 0; lane < kLanes; ++lane) {
      const engine::Traffic found = ranks.lane(lane).traffic();
      EXPECT_EQ(found.messages, expected[static_cast<size_t>(lane)].count) << "lane " << lane;
      EXPECT_EQ(found.bytes, expected[static_cast<size_t>(lane)].bytes) << "lane " << lane;
    }
  });
}

TrainerOptions with(const std::function<void(TrainerOptions&)>& change) {
  TrainerOptions options = test_support::small_training();
  options.buckets = {.first_bucket_bytes = 1 << 16, .bucket_bytes = 1 << 20};
  change(options);
  return options;
}

INSTANTIATE_TEST_SUITE_P(
    Ranks, StepTraffic,
    testing::Values(Case{"AsPublished", with([](TrainerOptions&) {})},
                    Case{"InBf16WithLocalBatchNorm", with([](TrainerOptions& o) {
                           o.buckets.in_bf16 = true;
                           o.sync_batch_norm = false;
                         })},
                    Case{"InstancesAndMicroBatches", with([](TrainerOptions& o) {
                           o.model.instance_weight = 0.5;
                           o.accumulate = 2;
                         })}),
    [](const auto& c) { return c.param.name; });

// A published step: ResNet-50 has 53 BatchNorm layers, its projector one; 33.0 million parameters.
TEST(PaperModel, CountsTheMessagesOfAResNet50) {
  Init init{engine::Random(1)};
  const Model model({}, init);
  const auto messages = paper_model::step_messages(model, {});
  EXPECT_EQ(messages[kOnlineLane].count, 2 * 54);
  EXPECT_EQ(messages[kTargetLane].count, 54);
  const auto shared = paper_model::step_messages(model, {.in_lockstep = true});
  EXPECT_EQ(shared[kOnlineLane].count, 2 * 54);
  EXPECT_EQ(shared[kTargetLane].count, 0);
  EXPECT_EQ(shared[kOnlineLane].bytes + 54 * 8,
            messages[kOnlineLane].bytes + messages[kTargetLane].bytes);
  EXPECT_NEAR(static_cast<double>(messages[kGradientLane].bytes), 4 * 33.0e6, 0.2e6);
  EXPECT_EQ(messages[kGradientLane].count, 7);
}

}  // namespace
}  // namespace pixpro
