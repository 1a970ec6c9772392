#include "pixpro/report/metrics_file.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "engine/files/atomic_file.h"
#include "engine/files/escaped.h"

namespace pixpro {
namespace {

namespace fs = std::filesystem;

nlohmann::ordered_json numbers_of(const StepRecord& record) {
  nlohmann::ordered_json line;
  for_each_number(record, [&](const char* name, auto number) { line[name] = number; });
  return line;
}

// Reasons may hold what people call their files.
ReasonCounts shown(const ReasonCounts& counts) {
  ReasonCounts shown;
  for (const auto& [reason, count] : counts) shown[engine::escaped(reason)] += count;
  return shown;
}

void read_number(const nlohmann::json& found, double& number) {
  number = found.is_number() ? found.get<double>() : std::numeric_limits<double>::quiet_NaN();
}
void read_number(const nlohmann::json& found, int64_t& number) {
  number = found.is_number_integer() ? found.get<int64_t>() : 0;
}

// Whether the last line before `end` is the one that was there when the history ended.
bool holds(const fs::path& path, const HistoryEnd& end) {
  const std::string expected = end.last_line + "\n";
  const auto length = static_cast<int64_t>(expected.size());
  if (end.bytes < length) return false;
  std::string found(expected.size(), '\0');
  std::ifstream in(path, std::ios::binary);
  in.seekg(end.bytes - length);
  in.read(found.data(), length);
  return in.good() && found == expected;
}

}  // namespace

MetricsFile::MetricsFile(const fs::path& path, const HistoryEnd& end, Skipped skipped)
    : path_(path), continued_(holds(path, end)), skipped_(std::move(skipped)) {
  if (continued_) {
    end_ = end;
  } else if (fs::exists(path)) {
    fs::rename(path, path.string() + ".previous");
  }
  file_.reset(std::fopen(path.c_str(), "ae"));
  require_done(file_ != nullptr);
  std::setbuf(file_.get(), nullptr);
  require_done(cut_at_end());
}

void MetricsFile::write(const StepRecord& record) {
  const std::string line = line_of(record);
  const bool written = std::fputs((line + "\n").c_str(), file_.get()) >= 0;
  if (!written) {
    const int error = errno;
    cut_at_end();  // if this fails too, the next start does it
    errno = error;
  }
  require_done(written);
  broken_ = record.broken;
  end_ = {.bytes = end_.bytes + static_cast<int64_t>(line.size()) + 1, .last_line = line};
}

std::string MetricsFile::line_of(const StepRecord& record) const {
  nlohmann::ordered_json line = numbers_of(record);
  line["skipped_files"] = total(skipped_.files());
  line["skipped_folders"] = total(skipped_.folders());
  if (!broken_) {
    line["skipped_files_by_reason"] = shown(skipped_.files());
    line["skipped_folders_by_reason"] = shown(skipped_.folders());
  }
  if (broken_ != record.broken) line["broken_images_by_reason"] = shown(record.broken);
  return line.dump();
}

const HistoryEnd& MetricsFile::flush() {
  require_done(fsync(fileno(file_.get())) == 0);
  return end_;
}

// Removes what follows the last complete line. Whether that worked.
bool MetricsFile::cut_at_end() { return ftruncate(fileno(file_.get()), end_.bytes) == 0; }

void MetricsFile::require_done(bool done) const {
  engine::require(done, "metrics: cannot write '", path_.string(), "': ", std::strerror(errno));
}

HistoryEnd write_history(const fs::path& path, const std::vector<StepRecord>& steps) {
  HistoryEnd end;
  std::string text;
  for (const StepRecord& record : steps) {
    end.last_line = numbers_of(record).dump();
    text += end.last_line + "\n";
  }
  end.bytes = static_cast<int64_t>(text.size());
  engine::write_file_atomically(path, text);
  return end;
}

void for_each_step(const fs::path& path, const std::function<void(const StepRecord&)>& visit) {
  std::ifstream in(path, std::ios::binary);
  for (std::string text; std::getline(in, text);) {
    const nlohmann::json line = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (!line.is_object() || !line.contains("step")) continue;
    StepRecord record;
    for_each_number(record, [&](const char* name, auto& number) {
      read_number(line.value(name, nlohmann::json()), number);
    });
    visit(record);
  }
}

}  // namespace pixpro
