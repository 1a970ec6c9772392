// All threads together hold no more decoded images than fit.
#include "pixpro/data/codecs/decode_memory.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "pixpro/data/codecs/codec.h"
#include "tests/pixpro/data/scratch_folder.h"

namespace pixpro {
namespace {

TEST(DecodeMemory, IsNeverExceededAndALargerImageIsAlone) {
  DecodeMemory memory(100);
  std::atomic<int64_t> used = 0, wrong = 0;
  const auto decode = [&](int64_t bytes) {
    const DecodeMemory::Share share(memory);
    DecodeMemory::take(bytes);
    const int64_t now = used += bytes;
    if (now > 100 && now != bytes) ++wrong;
    std::this_thread::yield();
    used -= bytes;
  };
  std::vector<std::jthread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (int k = 0; k < 300; ++k) decode(t == 0 ? 250 : 10 + (t * 7 + k) % 60);
    });
  }
  threads.clear();
  EXPECT_EQ(wrong, 0);
}

TEST(DecodeMemory, CountsTheImagesThatDecodersDecode) {
  const std::vector<uint8_t> small = encode_png(test_image(10, 10, 0));
  const std::vector<uint8_t> large = encode_jpeg(test_image(40, 40, 0), 90);
  DecodeMemory memory(4'800);  // one JPEG of 40 x 40 pixels
  std::atomic<bool> decoded = false;
  std::jthread other;
  {
    const DecodeMemory::Share share(memory);
    decode_image(small);
    other = std::jthread([&] {
      const DecodeMemory::Share its_share(memory);
      decode_image(large);
      decoded = true;
    });
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    EXPECT_FALSE(decoded) << "the small image's share has not ended";
  }
  other.join();
  EXPECT_TRUE(decoded);
  decode_image(large);  // a thread without a share does not wait
}

}  // namespace
}  // namespace pixpro
