// The flags that say where images come from.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "apps/command.h"
#include "pixpro/data/sources/source.h"

namespace apps {

struct SourceFlags {
  std::filesystem::path data_dir;
  bool zip = false;
  std::string cache_mode = "no";
};

void add_source_flags(Command& command, SourceFlags& flags);

void add_zip(Command& command, bool& zip);  // --zip alone

std::unique_ptr<pixpro::Source> open_images(const SourceFlags& flags);

}  // namespace apps
