#include "pixpro/data/sources/skipped.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "engine/files/escaped.h"

namespace pixpro {
namespace {

constexpr size_t kMostToldApart = 100;              // reasons that are counted apart
constexpr size_t kMostReasons = 8, kMostNames = 4;  // in the text

std::string counted(int64_t count, std::string_view what) {
  return std::to_string(count) + " " + std::string(what);
}

// "3 files: 2 .txt, 1 hidden". `names`, if there are any, follow the reason kForbidden.
std::string listed(const ReasonCounts& counts, const std::string& what, const std::string& names) {
  std::vector<std::pair<std::string, int64_t>> reasons(counts.begin(), counts.end());
  std::ranges::stable_sort(reasons, std::greater<>(), &std::pair<std::string, int64_t>::second);
  const int64_t all = total(counts);
  std::string text = counted(all, what) + (all == 1 ? ":" : "s:");
  int64_t rest = all;
  for (size_t i = 0; i < std::min(reasons.size(), kMostReasons); ++i) {
    const auto& [reason, count] = reasons[i];
    text += (i == 0 ? " " : ", ") + counted(count, engine::escaped(reason));
    if (reason == kForbidden && !names.empty()) text += " (" + names + ")";
    rest -= count;
  }
  return rest == 0 ? text : text + ", " + counted(rest, "others");
}

}  // namespace

int64_t& Skipped::count_in(ReasonCounts& counts, std::string_view reason) {
  const auto found = counts.find(reason);
  if (found != counts.end()) return found->second;
  return counts[counts.size() < kMostToldApart ? std::string(reason) : "of other kinds"];
}

void Skipped::add_forbidden_folder(std::string_view path) {
  add_folder(kForbidden);
  if (forbidden_.size() < kMostNames) forbidden_.emplace_back(path);
}

std::string Skipped::text() const {
  std::string names;
  for (const std::string& name : forbidden_) {
    names += (names.empty() ? "" : ", ") + engine::escaped(name);
  }
  const auto forbidden = folders_.find(kForbidden);
  if (forbidden != folders_.end() && forbidden->second > static_cast<int64_t>(kMostNames)) {
    names += ", ...";
  }
  std::string text;
  if (!files_.empty()) text = "skipped " + listed(files_, "file", "");
  if (!folders_.empty()) {
    text += (text.empty() ? "skipped " : "; ") + listed(folders_, "folder", names);
  }
  return text;
}

}  // namespace pixpro
