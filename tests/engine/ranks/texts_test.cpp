#include "engine/ranks/texts.h"

#include <gtest/gtest.h>

#include "tests/support/thread_ranks.h"

namespace engine {
namespace {

TEST(TextsOfRanks, TravelAsTheyAre) {
  test_support::on_ranks(3, [](Communicator& ranks) {
    const std::vector<std::string> texts = {"", std::string("a\0b", 3), "längere Zeile\n"};
    const std::string& own = texts[static_cast<size_t>(ranks.rank())];
    EXPECT_EQ(texts_of_ranks(ranks, kCpu, own), texts);
    EXPECT_EQ(text_of_rank_zero(ranks, kCpu, own), "");
    EXPECT_EQ(text_of_rank_zero(ranks, kCpu, own + "!"), "!");
    EXPECT_EQ(texts_of_ranks(ranks, kCpu, ""), std::vector<std::string>(3));
  });
}

}  // namespace
}  // namespace engine
