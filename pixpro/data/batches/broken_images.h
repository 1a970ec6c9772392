// The images of a source that cannot be used, as they are found. Shared by all workers.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "pixpro/data/reason_counts.h"

namespace pixpro {

struct BrokenImage {
  int64_t sample = 0;
  std::string name;    // as its source gives it
  std::string reason;  // begins with the name
};

class BrokenImages {
 public:
  // most: how many are accepted. By default it is a tenth of the images, but at least one.
  BrokenImages(int64_t images, std::optional<int64_t> most);

  // Whether it is known that an image can never be used. Takes no lock.
  bool is_known(int64_t sample) const {
    return (known_[word_of(sample)].load(std::memory_order_relaxed) & bit_of(sample)) != 0;
  }
  // Whether an image has been noted before.
  bool is_noted(int64_t sample) const;

  // Notes an image, once. for_good: from now on it is known. Otherwise the reason may not hold the
  // next time: damage in a part of the image, or a file that was removed. Throws Error that sums up
  // all reasons if the image is one too many.
  void note(int64_t sample, const std::string& name, const std::string& reason, bool for_good);

  // The images noted since the last call.
  std::vector<BrokenImage> take_new();

  // "3 of 40 images are broken: 2 x the file is empty (a.jpg); 1 x JPEG: the file is cut short
  // (b.jpg)". Empty if none is.
  std::string summary() const;

  // Counts of all images noted so far. Reasons that differ in numbers alone count as one, with N
  // for those numbers.
  ReasonCounts by_reason() const;

 private:
  struct Kind {
    int64_t count;
    std::string reason;   // what they have in common
    std::string example;  // the name of one of them
  };

  static size_t word_of(int64_t sample) { return static_cast<size_t>(sample) / 64; }
  static uint64_t bit_of(int64_t sample) { return uint64_t{1} << (sample % 64); }
  // With the lock held.
  void count_kind(const std::string& name, const std::string& reason);
  std::string count_text() const;
  std::string kinds_text() const;

  const int64_t images_, most_;
  const bool is_default_;
  std::vector<std::atomic<uint64_t>> known_;  // a bit per image

  mutable std::mutex mutex_;  // guards what follows
  std::vector<bool> noted_;
  int64_t count_ = 0;
  std::map<std::string, Kind> kinds_;
  std::vector<BrokenImage> new_;
};

}  // namespace pixpro
