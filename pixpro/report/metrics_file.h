// The file in which a run writes down its steps, one line of JSON per step. It is the only record
// of them: checkpoints hold where it ended when they were saved.
//
// Besides the step's numbers a line has the numbers of the files and folders that the data set
// skips. Counts by reason, "skipped_files_by_reason": {".txt": 8, "hidden": 1}, are in the first
// line after a start of the run; those of broken images also in every line in which they change.
#pragma once

#include <cstdio>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "pixpro/data/sources/skipped.h"
#include "pixpro/train/step_record.h"

namespace pixpro {

class MetricsFile {
 public:
  // Opens the file of a run whose history ends at `end`. What follows, the steps between a
  // checkpoint and an interruption, is cut off. If the file does not hold this history (it is
  // missing, shorter or of another run, or `end` is that of a new run), an older file is kept as
  // <name>.previous, and a new one begins. skipped: of the run's data set. Throws if the file
  // cannot be written.
  explicit MetricsFile(const std::filesystem::path& path, const HistoryEnd& end = {},
                       Skipped skipped = {});

  // Whether the file held the history up to `end`.
  bool continued() const { return continued_; }

  // Appends a line and hands it to the operating system at once. If that fails, the file is left
  // without the line.
  void write(const StepRecord& record);

  // Makes sure that all lines have reached the disk, and says where they end. A checkpoint that
  // holds this end fits the file even after a power failure.
  const HistoryEnd& flush();

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  std::string line_of(const StepRecord& record) const;
  void require_done(bool done) const;
  bool cut_at_end();

  std::filesystem::path path_;
  HistoryEnd end_;
  bool continued_;
  const Skipped skipped_;
  std::optional<ReasonCounts> broken_{};    // as written last since the start
  std::unique_ptr<std::FILE, Close> file_;  // without a buffer
};

// Replaces the file by one that holds these steps, and says where it ends. For checkpoints of
// version 1, which hold the steps themselves.
HistoryEnd write_history(const std::filesystem::path& path, const std::vector<StepRecord>& steps);

// Calls visit(record) for every step in the file. Lines that are not steps are passed over; a
// number that is missing or null is not a number (NaN), or 0 if it is a count.
void for_each_step(const std::filesystem::path& path,
                   const std::function<void(const StepRecord&)>& visit);

}  // namespace pixpro
