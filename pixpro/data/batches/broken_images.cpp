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

bool is_digit(char letter) { return letter >= '0' && letter <= '9'; }

// The number or other letter at `at`, which is moved behind it.
std::string next_piece(const std::string& text, size_t& at) {
  const size_t begin = at++;
  if (is_digit(text[begin])) {
    at = std::min(text.find_first_not_of("0123456789", begin), text.size());
  }
  return text.substr(begin, at - begin);
}

// A reason with N for each number.
std::string kind_of(const std::string& reason) {
  std::string kind;
  for (size_t at = 0; at < reason.size();) {
    const std::string piece = next_piece(reason, at);
    kind += is_digit(piece[0]) ? "N" : piece;
  }
  return kind;
}

// Two reasons of the same kind, and so of as many pieces, with N for each number that differs.
std::string in_common(const std::string& first, const std::string& second) {
  std::string text;
  for (size_t i = 0, j = 0; i < first.size();) {
    const std::string piece = next_piece(first, i);
    text += piece == next_piece(second, j) ? piece : "N";
  }
  return text;
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
  // With the lock: whoever sees that an image is known finds it in the summary.
  const std::lock_guard lock(mutex_);
  if (for_good) known_[word_of(sample)].fetch_or(bit_of(sample), std::memory_order_relaxed);
  if (noted_[static_cast<size_t>(sample)]) return;
  noted_[static_cast<size_t>(sample)] = true;
  ++count_;
  new_.push_back({sample, name, name + ": " + reason});
  count_kind(name, reason);
  engine::require(count_ <= most_, count_text(), ", more than ",
                  is_default_ ? "a tenth, the most that is accepted unless --max-broken allows more"
                              : "the " + std::to_string(most_) + " that --max-broken allows",
                  ": ", kinds_text());
}

void BrokenImages::count_kind(const std::string& name, const std::string& reason) {
  std::string kind = kind_of(reason);
  const bool is_other = kinds_.size() >= kMostKinds && !kinds_.contains(kind);
  if (is_other) kind = "another reason";
  const std::string& said = is_other ? kind : reason;
  const auto [found, is_new] = kinds_.try_emplace(kind, Kind{0, said, name});
  Kind& common = found->second;
  ++common.count;
  if (!is_new) common.reason = in_common(common.reason, said);
}

std::vector<BrokenImage> BrokenImages::take_new() {
  const std::lock_guard lock(mutex_);
  return std::exchange(new_, {});
}

std::string BrokenImages::summary() const {
  const std::lock_guard lock(mutex_);
  return count_ == 0 ? "" : count_text() + ": " + kinds_text();
}

ReasonCounts BrokenImages::by_reason() const {
  const std::lock_guard lock(mutex_);
  ReasonCounts counts;
  for (const auto& [kind, common] : kinds_) counts[common.reason] += common.count;
  return counts;
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
    const Kind& common = entry->second;
    text += (text.empty() ? "" : "; ") + std::to_string(common.count) + " x " + common.reason +
            " (" + common.example + ")";
    rest -= common.count;
  }
  return rest == 0 ? text : text + "; " + std::to_string(rest) + " for other reasons";
}

}  // namespace pixpro
