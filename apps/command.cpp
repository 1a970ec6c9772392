#include "apps/command.h"

#include <nlohmann/json.hpp>
#include <type_traits>

#include "apps/flags/checks.h"

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

template <class T>
CLI::Option* declare(CLI::App& app, const std::string& names, T& variable,
                     const std::string& help) {
  if constexpr (std::is_same_v<T, bool>) {
    return app.add_flag(names, variable, help);
  } else {
    CLI::Option* option = app.add_option(names, variable, help)->default_str(text_of(variable));
    if constexpr (std::is_same_v<T, std::vector<int64_t>>) option->delimiter(',');
    if constexpr (std::is_same_v<T, std::vector<std::string>>) option->allow_extra_args(false);
    if constexpr (std::is_same_v<T, uint64_t>) option->check(whole_number());
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
      std::visit([&](auto* v) { return declare(*app_, names, *v, help); }, variable)->check(check);
  flags_->push_back({option, variable, changes_numbers});
  return option;
}

pixpro::Settings Command::settings() const {
  pixpro::Settings settings;
  for (const Flag& flag : *flags_) {
    if (flag.changes_numbers == ChangesNumbers::no) continue;
    settings[flag.option->get_name()] =
        std::visit([](const auto* v) { return text_of(*v); }, flag.variable);
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

}  // namespace apps
