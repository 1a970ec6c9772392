#include "apps/command.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <type_traits>

#include "apps/flags/checks.h"
#include "apps/ranks/bad_start.h"
#include "apps/ranks/launch.h"
#include "engine/error.h"
#include "engine/ranks/mpi.h"

namespace apps {
namespace {

// A flag's value as --help and checkpoints show it.
std::string text_of(const std::string& value) { return value; }
std::string text_of(const std::filesystem::path& value) { return value.string(); }
std::string text_of(const std::vector<std::string>& values) {
  std::string text;
  for (const std::string& value : values) text += (text.empty() ? "" : " ") + value;
  return text;
}
template <class T>  // bool, numbers, lists of numbers
std::string text_of(const T& value) {
  return nlohmann::json(value).dump();
}
template <class T>
std::string text_of(const std::optional<T>& value) {
  return value ? text_of(*value) : std::string();
}

std::string text_of(const FlagVariable& variable) {
  return std::visit([](const auto* value) { return text_of(*value); }, variable);
}

// Of several values of which the last counts, only that is checked. CLI11 gives it the index 0, and
// negative ones to those before.
void check_what_counts(CLI::Option* option, const CLI::Validator& check) {
  const bool last = option->get_multi_option_policy() == CLI::MultiOptionPolicy::TakeLast;
  option->check(last ? check.application_index(0) : check);
}

template <class T>
CLI::Option* declare(CLI::App& app, const std::string& names, T& variable,
                     const std::string& help) {
  if constexpr (std::is_same_v<T, bool>) {
    return app.add_flag(names, variable, help);
  } else {
    CLI::Option* option = app.add_option(names, variable, help)->default_str(text_of(variable));
    if constexpr (std::is_same_v<T, std::vector<int64_t>>) {
      option->delimiter(',')->trigger_on_parse();  // a second list replaces the first
    } else if constexpr (std::is_same_v<T, std::vector<std::string>>) {
      option->allow_extra_args(false);  // one value per use
    } else if (!option->get_positional()) {
      option->take_last();
    }
    if constexpr (std::is_same_v<T, uint64_t>) check_what_counts(option, whole_number());
    return option;
  }
}

}  // namespace

Command::Command(CLI::App& parent, const std::string& name, const std::string& help)
    : app_(parent.add_subcommand(name, help)) {}

CLI::Option* Command::add(const std::string& names, FlagVariable variable,
                          ChangesNumbers changes_numbers, const std::string& help,
                          const CLI::Validator& check) {
  CLI::Option* option =
      std::visit([&](auto* v) { return declare(*app_, names, *v, help); }, variable);
  check_what_counts(option, check);
  flags_->push_back({.option = option,
                     .variable = variable,
                     .changes_numbers = changes_numbers,
                     .default_text = text_of(variable)});
  return option;
}

void Command::needs(const CLI::Option* option, const std::string& condition,
                    const std::function<bool()>& holds) {
  const auto flag = std::ranges::find(*flags_, option, &Flag::option);
  flag->condition = condition;
  flag->has_meaning = holds;
}

pixpro::Settings Command::settings() const {
  pixpro::Settings settings;
  for (const Flag& flag : *flags_) {
    if (flag.changes_numbers == ChangesNumbers::no || !flag.has_meaning()) continue;
    settings[flag.option->get_name()] = text_of(flag.variable);
  }
  return settings;
}

pixpro::Settings Command::default_settings() const {
  pixpro::Settings settings;
  for (const Flag& flag : *flags_) {
    if (flag.changes_numbers == ChangesNumbers::no) continue;
    settings[flag.option->get_name()] = flag.default_text;
  }
  return settings;
}

void Command::group_flags() {
  for (const Flag& flag : *flags_) {
    flag.option->group(flag.changes_numbers == ChangesNumbers::yes
                           ? "Options that change the numbers, fixed when a run is resumed"
                           : "Options that may change when a run is resumed");
  }
}

void Command::set_job(const std::function<void()>& job) {
  set_job_for_ranks([name = app_->get_name(), job] {
    const Launch launch = recognise(process_environment(), engine::has_mpi());
    require_start(launch.count == 1, name, " runs as one process, but ", launch.launcher,
                  " has started ", launch.count, ": start it without ", launch.launcher);
    job();
  });
}

void Command::set_job_for_ranks(const std::function<void()>& job) {
  app_->callback([flags = flags_, job] {
    refuse_flags_without_meaning(*flags);
    job();
  });
}

void Command::refuse_flags_without_meaning(const std::vector<Flag>& flags) {
  for (const Flag& flag : flags) {
    engine::require(flag.option->empty() || flag.has_meaning(), flag.option->get_name(),
                    " has no effect without ", flag.condition, ": leave it out or add that");
  }
}

}  // namespace apps
