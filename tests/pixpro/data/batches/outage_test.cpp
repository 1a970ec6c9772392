// Storage that is away for a while breaks no image, and a loader can always be ended.
#include <gtest/gtest.h>

#include <cerrno>
#include <mutex>
#include <new>
#include <thread>

#include "pixpro/data/batches/loader.h"
#include "pixpro/data/sources/file_bytes.h"
#include "tests/pixpro/data/batches/fake_source.h"
#include "tests/support/error_of.h"

namespace pixpro {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;
using Values = std::vector<float>;

Values values_of(const engine::Tensor& tensor) {
  const float* data = tensor.data<float>();
  return Values(data, data + tensor.elements());
}

class Outage : public testing::Test {
 protected:
  LoaderOptions options(milliseconds patience) {
    LoaderOptions options;
    options.plan.batch_size = 4;
    options.image_size = 16;
    options.workers = 3;
    options.patience = {.limit = patience, .report = [this](const std::string& line) {
                          const std::lock_guard lock(mutex_);
                          lines_.push_back(line);
                        }};
    return options;
  }
  std::vector<std::string> lines() {
    const std::lock_guard lock(mutex_);
    return lines_;
  }

  const std::shared_ptr<FakeSource> source_ = fake_images(8);

 private:
  std::mutex mutex_;
  std::vector<std::string> lines_;
};

TEST_F(Outage, BreaksNoImage) {
  Loader sound(source_, options(milliseconds(0)));
  const std::vector<Values> expected{values_of(sound.next().views), values_of(sound.next().views)};
  const auto away = fake_images(8);
  std::atomic<int> reads = 0;
  away->before_read = [&](int64_t) {
    const int read = reads++;
    if (read < 9) throw engine::ReadError("cannot read it", EIO);
    if (read < 12) throw std::bad_alloc();
  };
  Loader loader(away, options(std::chrono::minutes(5)));
  for (const Values& views : expected) EXPECT_EQ(values_of(loader.next().views), views);
  EXPECT_TRUE(loader.take_broken().empty());
  EXPECT_EQ(loader.broken_summary(), "");
  ASSERT_EQ(lines().size(), 2U);
  EXPECT_NE(lines()[0].find("waiting for up to 300 s: "), std::string::npos) << lines()[0];
  EXPECT_NE(lines()[0].find(": cannot read it"), std::string::npos) << lines()[0];
  EXPECT_NE(lines()[1].find("reading goes on after "), std::string::npos) << lines()[1];
}

TEST_F(Outage, IsAnErrorOnceThePatienceIsOver) {
  source_->before_read = [](int64_t i) {
    if (i == 5) throw engine::ReadError("cannot read it", ESTALE);
  };
  Loader loader(source_, options(milliseconds(250)));
  const auto read_all = [&] {
    for (int step = 0; step < 2; ++step) loader.next();
  };
  EXPECT_THROW(read_all(), engine::ReadError);
  const std::string error = test_support::error_of([&] { loader.next(); });
  EXPECT_TRUE(error.starts_with("5: cannot read it, tried again for 0.2")) << error;
  EXPECT_TRUE(loader.take_broken().empty());
}

// A removed file is passed over for this time. When it is back, so is the image.
TEST_F(Outage, OfASingleFileIsPassedOver) {
  LoaderOptions chosen = options(milliseconds(0));
  chosen.workers = 1;
  Loader whole(source_, chosen);
  const auto lost = fake_images(8);
  std::atomic<bool> is_away = true;
  lost->before_read = [&](int64_t i) {
    if (i == 5 && is_away) throw LostFile("cannot open it", ENOENT);
  };
  Loader loader(lost, chosen);
  bool differs = false;
  for (int step = 0; step < 2; ++step) {
    differs |= values_of(loader.next().views) != values_of(whole.next().views);
  }
  EXPECT_TRUE(differs);
  EXPECT_EQ(loader.take_broken().size(), 1U);
  is_away = false;
  for (int step = 0; step < 4; ++step) loader.next(), whole.next();  // what was read ahead
  EXPECT_EQ(values_of(loader.next().views), values_of(whole.next().views));
  EXPECT_EQ(values_of(loader.next().views), values_of(whole.next().views));
  EXPECT_TRUE(loader.take_broken().empty());
}

TEST_F(Outage, EndsAtOnceWhenTheLoaderIsInterruptedOrDestroyed) {
  source_->before_read = [](int64_t) { throw engine::ReadError("cannot read it", EIO); };
  const Clock::time_point start = Clock::now();
  {
    Loader loader(source_, options(std::chrono::minutes(5)));
    std::jthread other([&] {
      std::this_thread::sleep_for(milliseconds(400));
      loader.interrupt();
    });
    EXPECT_THROW(loader.next(), Interrupted);
    EXPECT_THROW(loader.next(), Interrupted);
  }
  EXPECT_LT(Clock::now() - start, std::chrono::seconds(2));
  EXPECT_FALSE(threads_are_left_behind());
}

// Reading hangs, as on a network disk whose server is away.
TEST_F(Outage, ThatHangsDoesNotKeepTheLoader) {
  std::atomic<bool> released = false;
  std::atomic<int> awake = 0;
  source_->before_read = [&](int64_t) {
    released.wait(false);
    ++awake;
  };
  const Clock::time_point start = Clock::now();
  {
    const Loader loader(source_, options(milliseconds(0)));
    source_->wait_for_reads(1);
  }
  EXPECT_LT(Clock::now() - start, std::chrono::seconds(4));
  EXPECT_TRUE(threads_are_left_behind());
  EXPECT_GT(source_.use_count(), 1) << "the workers own what they use";
  released = true;
  released.notify_all();
  while (source_.use_count() > 1) std::this_thread::sleep_for(milliseconds(1));
  EXPECT_GT(awake, 0);
}

}  // namespace
}  // namespace pixpro
