// Sources of a loader's tests: images in memory, with trouble on request.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "pixpro/data/codecs/codec.h"
#include "pixpro/data/sources/source.h"
#include "tests/pixpro/data/scratch_folder.h"

namespace pixpro {

// Image i is called "i". `before_read` is called with it first and may throw or wait.
class FakeSource : public Source {
 public:
  explicit FakeSource(std::vector<std::vector<uint8_t>> images) : images_(std::move(images)) {}

  int64_t size() const override { return static_cast<int64_t>(images_.size()); }
  std::string name(int64_t i) const override { return std::to_string(i); }
  Bytes read(int64_t i, std::vector<uint8_t>&) const override {
    ++reads;
    reads.notify_all();
    before_read(i);
    return images_[static_cast<size_t>(i)];
  }
  void wait_for_reads(int64_t count) const {
    for (int64_t now = reads; now < count; now = reads) reads.wait(now);
  }

  std::function<void(int64_t)> before_read = [](int64_t) {};
  mutable std::atomic<int64_t> reads = 0;

 private:
  const std::vector<std::vector<uint8_t>> images_;
};

// Sound images, each different.
inline std::shared_ptr<FakeSource> fake_images(int count) {
  std::vector<std::vector<uint8_t>> images;
  for (int i = 0; i < count; ++i) images.push_back(encode_png(test_image(20 + i % 40, 25, i)));
  return std::make_shared<FakeSource>(std::move(images));
}

}  // namespace pixpro
