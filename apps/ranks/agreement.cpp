#include "apps/ranks/agreement.h"

#include <exception>
#include <sstream>

#include "engine/files/escaped.h"
#include "engine/ranks/texts.h"
#include "pixpro/train/lanes.h"
#include "pixpro/train/shared_error.h"

namespace apps {
namespace {

using Values = std::map<std::string, std::string>;

engine::Communicator& lane_of(const Rank& rank) { return rank.ranks->lane(pixpro::kNumbersLane); }

// Names and values in turn, with a byte 0 after each.
std::string text_of(const Values& values) {
  std::string text;
  for (const auto& [name, value] : values) text += name + '\0' + value + '\0';
  return text;
}

Values values_of(const std::string& text) {
  Values values;
  std::istringstream in(text);
  for (std::string name, value; std::getline(in, name, '\0');) {
    std::getline(in, value, '\0');
    values[name] = value;
  }
  return values;
}

std::string shown(const Values& values, const std::string& name) {
  const auto found = values.find(name);
  return found == values.end() ? "none" : engine::escaped(found->second);
}

}  // namespace

std::string on_rank_zero(const Rank& rank, const std::function<std::string()>& act) {
  if (rank.ranks == nullptr) return act();
  std::string outcome;  // begins with + or, for the text of an error, with -
  if (rank.leads()) {
    try {
      outcome = "+" + act();
    } catch (const std::exception& error) {
      outcome = std::string("-") + error.what();
    }
  }
  outcome = engine::text_of_rank_zero(lane_of(rank), rank.device, outcome);
  if (outcome.starts_with('-')) throw pixpro::SharedError("rank 0: " + outcome.substr(1));
  return outcome.substr(1);
}

void require_alike(const Rank& rank, const Values& what) {
  if (rank.ranks == nullptr) return;
  const auto texts = engine::texts_of_ranks(lane_of(rank), rank.device, text_of(what));
  const Values first = values_of(texts[0]);
  for (size_t other = 1; other < texts.size(); ++other) {
    if (texts[other] == texts[0]) continue;
    const Values differing = values_of(texts[other]);
    Values all = first;
    all.insert(differing.begin(), differing.end());
    for (const auto& [name, value] : all) {
      const std::string here = shown(first, name), there = shown(differing, name);
      if (here == there) continue;
      std::ostringstream text;
      text << "the ranks of a run must be started alike: rank " << other << " has " << name << ' '
           << there << ", rank 0 has " << here;
      throw pixpro::SharedError(text.str());
    }
  }
}

}  // namespace apps
