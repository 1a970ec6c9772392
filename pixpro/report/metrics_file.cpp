#include "pixpro/report/metrics_file.h"

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "engine/files/atomic_file.h"

namespace pixpro {
namespace {

std::string line_of(const StepRecord& record) {
  nlohmann::ordered_json line;
  for_each_number(record, [&](const char* name, auto number) { line[name] = number; });
  return line.dump() + "\n";
}

}  // namespace

MetricsFile::MetricsFile(const std::filesystem::path& path, const std::vector<StepRecord>& done)
    : path_(path) {
  if (!done.empty()) {
    std::string text;
    for (const StepRecord& record : done) text += line_of(record);
    engine::write_file_atomically(path, text);
  } else if (std::filesystem::exists(path)) {
    std::filesystem::rename(path, path.string() + ".previous");
  }
  file_.reset(std::fopen(path.c_str(), "a"));
  engine::require(file_ != nullptr, "metrics: cannot write '", path.string(),
                  "': ", std::strerror(errno));
}

void MetricsFile::write(const StepRecord& record) {
  const std::string text = line_of(record);
  const bool written = std::fputs(text.c_str(), file_.get()) >= 0 && std::fflush(file_.get()) == 0;
  engine::require(written, "metrics: cannot write '", path_.string(), "': ", std::strerror(errno));
}

}  // namespace pixpro
