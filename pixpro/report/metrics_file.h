// The file in which a run writes down its steps, one line of JSON per step.
#pragma once

#include <cstdio>
#include <filesystem>
#include <memory>
#include <vector>

#include "pixpro/train/step_record.h"

namespace pixpro {

class MetricsFile {
 public:
  // Opens the file of a run that has made the steps `done`. If there are any, the file is rewritten
  // to hold exactly these: steps that followed them before an interruption are dropped. If there
  // are none, the run is a new one, and an older file is kept as <name>.previous. Throws if the
  // file cannot be written.
  explicit MetricsFile(const std::filesystem::path& path, const std::vector<StepRecord>& done = {});

  // Appends a line and hands it to the operating system at once.
  void write(const StepRecord& record);

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  std::filesystem::path path_;
  std::unique_ptr<std::FILE, Close> file_;
};

}  // namespace pixpro
