#include "pixpro/data/batches/broken_images.h"

#include <algorithm>
#include <functional>
#include <span>
#include <utility>

#include "engine/error.h"

namespace pixpro {
namespace {

constexpr size_t kMostKinds = 50;  // that are told apart
constexpr size_t kMostNamed = 5;   // in a summary

// A reason without its numbers: what several images have in common.
std::string kind_of(const std::string& reason) {
  std::string kind;
  bool in_number = false;
  for (const char letter : reason) {
    const bool is_digit = letter >= '0' && letter <= '9';
    if (!is_digit) kind += letter;
    if (is_digit && !in_number) kind += 'N';
    in_number = is_digit;
  }
  return kind;
}

}  // namespace

BrokenImages::BrokenImages(int64_t images, std::optional<int64_t> most)
    : images_(images),
      most_(most.value_or(std::max<int64_t>(images / 10, 1))),
      is_default_(!most),
      known_(static_cast<size_t>(images + 63) / 64),
      noted_(static_cast<size_t>(images)) {}

bool BrokenImages::is_noted(int64_t sample) const {
  const std::lock_guard lock(mutex_);
  return noted_[static_cast<size_t>(sample)];
}

void BrokenImages::note(int64_t sample, const std::string& name, const std::string& reason,
                        bool for_good) {
  if (for_good) known_[word_of(sample)].fetch_or(bit_of(sample), std::memory_order_relaxed);
  const std::lock_guard lock(mutex_);
  if (noted_[static_cast<size_t>(sample)]) return;
  noted_[static_cast<size_t>(sample)] = true;
  ++count_;
  new_.push_back({sample, name, name + ": " + reason});
  std::string kind = kind_of(reason);
  if (kinds_.size() >= kMostKinds && !kinds_.contains(kind)) kind = "another reason";
  Kind& common = kinds_[kind];
  if (common.count++ == 0) common.example = name;
  engine::require(count_ <= most_, count_text(), ", more than ",
                  is_default_ ? "a tenth, the most that is accepted unless --max-broken allows more"
                              : "the " + std::to_string(most_) + " that --max-broken allows",
                  ": ", kinds_text());
}

std::vector<BrokenImage> BrokenImages::take_new() {
  const std::lock_guard lock(mutex_);
  return std::exchange(new_, {});
}

std::string BrokenImages::summary() const {
  const std::lock_guard lock(mutex_);
  return count_ == 0 ? "" : count_text() + ": " + kinds_text();
}

std::string BrokenImages::count_text() const {
  return std::to_string(count_) + " of the " + std::to_string(images_) +
         (count_ == 1 ? " images is broken" : " images are broken");
}

// The most frequent kinds.
std::string BrokenImages::kinds_text() const {
  std::vector<const std::pair<const std::string, Kind>*> sorted;
  for (const auto& entry : kinds_) sorted.push_back(&entry);
  std::ranges::stable_sort(sorted, std::greater<>(),
                           [](const auto* entry) { return entry->second.count; });
  std::string text;
  int64_t rest = count_;
  for (const auto* entry : std::span(sorted).first(std::min(kMostNamed, sorted.size()))) {
    const auto& [kind, common] = *entry;
    text += (text.empty() ? "" : "; ") + std::to_string(common.count) + " x " + kind + " (" +
            common.example + ")";
    rest -= common.count;
  }
  return rest == 0 ? text : text + "; " + std::to_string(rest) + " for other reasons";
}

}  // namespace pixpro
