// Tests layers/optim/schedule.cpp.
#include "layers/optim/schedule.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

namespace layers {
namespace {

TEST(Schedule, EqualsTheReferenceAtEveryStep) {
  const auto rows = nlohmann::json::parse(std::ifstream(PIXPRO_GOLDEN_DIR "/schedules.json"));
  ASSERT_EQ(rows.size(), 3U);
  for (const auto& row : rows) {
    const Schedule schedule{.base = row["base_lr"],
                            .total_steps = row["total_steps"],
                            .warmup_steps = row["warmup_steps"],
                            .warmup_multiplier = row["warmup_multiplier"],
                            .eta_min = row["eta_min"]};
    for (int64_t step = 0; step < schedule.total_steps; ++step) {
      const double rate = row["learning_rate"][static_cast<size_t>(step)];
      const double momentum = row["momentum"][static_cast<size_t>(step)];
      EXPECT_NEAR(learning_rate(schedule, step), rate, 1e-12 * rate) << "step " << step;
      EXPECT_NEAR(encoder_momentum(row["base_momentum"], step, schedule.total_steps), momentum,
                  1e-14);
    }
  }
}

TEST(Schedule, StepDecayFallsAtItsMilestones) {
  const Schedule schedule{.base = 2.0,
                          .total_steps = 100,
                          .warmup_steps = 10,
                          .decay = Schedule::Decay::step,
                          .milestones = {40, 80},
                          .rate = 0.1};
  EXPECT_DOUBLE_EQ(learning_rate(schedule, 0), 0.02);
  EXPECT_DOUBLE_EQ(learning_rate(schedule, 10), 2.0);
  EXPECT_DOUBLE_EQ(learning_rate(schedule, 39), 2.0);
  EXPECT_DOUBLE_EQ(learning_rate(schedule, 40), 0.2);
  EXPECT_DOUBLE_EQ(learning_rate(schedule, 80), 0.02);
}

TEST(Schedule, EncoderMomentumEndsAtOne) {
  EXPECT_DOUBLE_EQ(encoder_momentum(0.99, 0, 10), 0.99);
  EXPECT_DOUBLE_EQ(encoder_momentum(0.99, 10, 10), 1.0);
}

}  // namespace
}  // namespace layers
