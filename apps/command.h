// A command of the program and its flags. A flag is declared once, by Command::add: its place in
// --help, its check and its entry among the settings of a checkpoint all follow from that. If a
// flag with a single value is given twice, the last one counts, and only that is checked.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "pixpro/train/checkpoint.h"

namespace apps {

// Whether the numbers of a run depend on a flag. If they do, checkpoints hold its value and a run
// is resumed only with the same one. Rounding alone does not count: it also depends on the machine
// and on how the machine is used (--device, --threads, --conv-algorithm).
enum class ChangesNumbers { no, yes };

// The variable that a flag sets. What it holds when the flag is declared is the default.
using FlagVariable =
    std::variant<bool*, int*, int64_t*, uint64_t*, double*, std::string*, std::filesystem::path*,
                 std::vector<int64_t>*, std::vector<std::string>*, std::optional<int64_t>*,
                 std::optional<std::filesystem::path>*>;

// Copies are handles on the same command.
class Command {
 public:
  Command(CLI::App& parent, const std::string& name, const std::string& help);

  // names: "--flag", "--flag,--other-name", or "NAME" for an argument without a flag. A bool is a
  // switch; a vector of numbers takes them separated by commas, one of texts takes one per use of
  // the flag. `variable` must outlive the command.
  CLI::Option* add(const std::string& names, FlagVariable variable, ChangesNumbers changes_numbers,
                   const std::string& help, const CLI::Validator& check = {});

  // Says that a flag, which `add` returned, has a meaning only if `holds()` is true once the
  // command line has been read. Otherwise the command refuses the flag if it is given, and it is
  // not among the settings. condition: what has to hold, in words: "--model PixPro".
  void needs(const CLI::Option* option, const std::string& condition,
             const std::function<bool()>& holds);

  // The values of all flags that change numbers: "--arch" -> "resnet50", "--crop" -> "0.08".
  pixpro::Settings settings() const;
  // The values that these flags have if they are not given.
  pixpro::Settings default_settings() const;

  // Has --help list the flags that change numbers apart from the others.
  void group_flags();

  // The job runs once the command line has been read. It is refused if this process is one of
  // several that a launcher has started, which would all do the same, unless it is one for ranks.
  void set_job(const std::function<void()>& job);
  void set_job_for_ranks(const std::function<void()>& job);

 private:
  struct Flag {
    CLI::Option* option;
    FlagVariable variable;
    ChangesNumbers changes_numbers;
    std::string default_text;
    std::string condition = {};
    std::function<bool()> has_meaning = [] { return true; };
  };
  static void refuse_flags_without_meaning(const std::vector<Flag>& flags);

  CLI::App* app_;
  std::shared_ptr<std::vector<Flag>> flags_ = std::make_shared<std::vector<Flag>>();
};

}  // namespace apps
