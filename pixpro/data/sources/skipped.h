// What was found beside the images of a data set and is not used.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "pixpro/data/reason_counts.h"

namespace pixpro {

// The reason for a file or folder that may not be opened.
constexpr std::string_view kForbidden = "without permission";

// The files and folders that were left out when a data set was opened, counted by reason: ".txt",
// ".heic (not supported)", "hidden", "excluded". What is inside a skipped folder is not counted.
// Reasons after the hundredth count as one.
class Skipped {
 public:
  void add_file(std::string_view reason) { ++count_in(files_, reason); }
  void add_folder(std::string_view reason) { ++count_in(folders_, reason); }
  void add_forbidden_folder(std::string_view path);  // its name is part of the text

  const ReasonCounts& files() const { return files_; }
  const ReasonCounts& folders() const { return folders_; }

  // "skipped 9 files: 8 .txt, 1 hidden; 1 folder: 1 without permission (lost+found)", the most
  // frequent reason first; empty if nothing was skipped. One line of a readable length.
  std::string text() const;

 private:
  static int64_t& count_in(ReasonCounts& counts, std::string_view reason);

  ReasonCounts files_, folders_;
  std::vector<std::string> forbidden_;  // the first few
};

}  // namespace pixpro
