// Many strings in little memory.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace pixpro {

// Takes 8 bytes per string besides its characters, and no allocation of its own.
class StringList {
 public:
  int64_t size() const { return static_cast<int64_t>(ends_.size()); }

  // Valid until a string is added.
  std::string_view operator[](int64_t i) const {
    const auto index = static_cast<size_t>(i);
    const uint64_t begin = index == 0 ? 0 : ends_[index - 1];
    return std::string_view(text_).substr(begin, ends_[index] - begin);
  }

  void add(std::string_view text) {
    text_ += text;
    ends_.push_back(text_.size());
  }

  // Gives back what growing has reserved.
  void shrink_to_fit() {
    text_.shrink_to_fit();
    ends_.shrink_to_fit();
  }

 private:
  std::string text_;  // all strings without gaps
  std::vector<uint64_t> ends_;
};

}  // namespace pixpro
