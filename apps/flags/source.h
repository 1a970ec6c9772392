// The flags that say where images come from.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "apps/command.h"
#include "engine/files/tensor_file.h"
#include "pixpro/data/sources/source.h"
#include "pixpro/train/checkpoint.h"

namespace apps {

struct SourceFlags {
  std::filesystem::path data_dir;
  bool zip = false;
  std::vector<std::string> exclude;
  std::string cache_mode = "no";
};

void add_source_flags(Command& command, SourceFlags& flags);

// Single flags of these.
void add_zip(Command& command, bool& zip);
void add_exclude(Command& command, std::vector<std::string>& exclude);

// The images of a folder that are neither excluded nor `written` by the command itself.
pixpro::Selection selection_of(const std::vector<std::string>& exclude,
                               const std::vector<std::filesystem::path>& written);

// process: of the `processes` that train together, each of which caches its share with
// --cache-mode part.
std::unique_ptr<pixpro::Source> open_images(const SourceFlags& flags,
                                            const std::vector<std::filesystem::path>& written,
                                            int64_t process = 0, int64_t processes = 1);

// What a checkpoint says about the images of its run: how many they are, and their fingerprint.
pixpro::Settings image_settings(const pixpro::Source& source);

// Throws Error if the checkpoint's run had other images than those that image_settings() has
// described. What an older checkpoint does not say is not compared.
void require_same_images(const engine::TensorFile& checkpoint, const pixpro::Settings& images);

}  // namespace apps
