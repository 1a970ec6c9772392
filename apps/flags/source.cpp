#include "apps/flags/source.h"

#include <map>

namespace apps {
namespace {

const std::map<std::string, pixpro::CacheMode> kCacheModes = {{"no", pixpro::CacheMode::no},
                                                              {"part", pixpro::CacheMode::part},
                                                              {"full", pixpro::CacheMode::full}};

}  // namespace

void add_source_flags(Command& command, SourceFlags& flags) {
  command
      .add("--data-dir", &flags.data_dir, ChangesNumbers::no,
           "Folder of images at any depth, or a file made by pixpro pack")
      ->required();
  add_zip(command, flags.zip);
  command.add("--cache-mode", &flags.cache_mode, ChangesNumbers::no,
              "Image files kept in memory once read: none, all (full), or this process's share "
              "(part)",
              CLI::IsMember(kCacheModes));
}

void add_zip(Command& command, bool& zip) {
  command.add("--zip", &zip, ChangesNumbers::no,
              "The folder holds train.zip and train_map.txt (per line: path, tab, label)");
}

std::unique_ptr<pixpro::Source> open_images(const SourceFlags& flags) {
  return with_cache(pixpro::open_source(flags.data_dir, flags.zip),
                    kCacheModes.at(flags.cache_mode));
}

}  // namespace apps
