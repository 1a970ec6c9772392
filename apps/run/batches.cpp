#include "apps/run/batches.h"

#include <sstream>

#include "apps/console.h"
#include "engine/ranks/texts.h"
#include "pixpro/train/lanes.h"
#include "pixpro/train/shared_error.h"

namespace apps {
namespace {

// Sample, name and reason in turn, with a byte 0 after each.
std::string text_of(const std::vector<pixpro::BrokenImage>& images) {
  std::string text;
  for (const pixpro::BrokenImage& image : images) {
    const std::string bare = image.reason.substr(image.name.size() + 2);  // without "NAME: "
    text += std::to_string(image.sample) + '\0' + image.name + '\0' + bare + '\0';
  }
  return text;
}

void note(const std::string& text, pixpro::BrokenImages& all) {
  std::istringstream in(text);
  for (std::string sample, name, reason; std::getline(in, sample, '\0');) {
    std::getline(in, name, '\0');
    std::getline(in, reason, '\0');
    all.note(std::stoll(sample), name, reason, /*for_good=*/true);
  }
}

}  // namespace

pixpro::ReasonCounts BrokenOfRanks::exchange(const Rank& rank) {
  const std::string own = text_of(std::exchange(news_, {}));
  const auto texts =
      engine::texts_of_ranks(rank.ranks->lane(pixpro::kNumbersLane), rank.device, own);
  try {
    for (const std::string& text : texts) note(text, all_);
  } catch (const engine::Error& too_many) {
    throw pixpro::SharedError(too_many.what());
  }
  return all_.by_reason();
}

void Batches::report_broken(pixpro::ReasonCounts& broken) {
  const std::vector<pixpro::BrokenImage> found = loader.take_broken();
  for (const pixpro::BrokenImage& image : found) {
    warn("skipped: " + image.reason);
    if (broken_of_ranks) broken_of_ranks->add(image);
  }
  if (!found.empty()) broken = loader.broken_by_reason();
}

pixpro::Batch Batches::next(pixpro::ReasonCounts& broken) {
  try {
    pixpro::Batch batch = gpu ? gpu->finish(loader.next_raw()) : loader.next();
    report_broken(broken);
    return batch;
  } catch (...) {
    report_broken(broken);
    throw;
  }
}

}  // namespace apps
