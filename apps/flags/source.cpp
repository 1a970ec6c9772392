#include "apps/flags/source.h"

#include <map>

#include "engine/error.h"
#include "engine/files/tensor_file_header.h"
#include "pixpro/data/sources/fingerprint.h"

namespace apps {
namespace {

const std::map<std::string, pixpro::CacheMode> kCacheModes = {{"no", pixpro::CacheMode::no},
                                                              {"part", pixpro::CacheMode::part},
                                                              {"full", pixpro::CacheMode::full}};

constexpr const char *kImages = "images", *kFingerprint = "image_fingerprint";

// A pattern for paths relative to the data folder, as people write it for a folder: "./bad/".
std::string trimmed(std::string pattern) {
  while (pattern.starts_with("./")) pattern.erase(0, 2);
  while (pattern.size() > 1 && pattern.ends_with('/')) pattern.pop_back();
  return pattern;
}

}  // namespace

void add_source_flags(Command& command, SourceFlags& flags) {
  command
      .add("--data-dir", &flags.data_dir, ChangesNumbers::no,
           "Folder of images at any depth, or a file made by pixpro pack")
      ->required();
  add_zip(command, flags.zip);
  add_exclude(command, flags.exclude);
  command.add("--cache-mode", &flags.cache_mode, ChangesNumbers::no,
              "Image files kept in memory once read: none, all (full), or this process's share "
              "(part)",
              CLI::IsMember(kCacheModes));
}

void add_zip(Command& command, bool& zip) {
  command.add("--zip", &zip, ChangesNumbers::no,
              "The folder holds train.zip and train_map.txt (per line: path, or path, tab, label)");
}

void add_exclude(Command& command, std::vector<std::string>& exclude) {
  command.add(
      "--exclude", &exclude, ChangesNumbers::no,
      "Leave out files and folders whose name, or path below the folder, matches this shell "
      "pattern, such as 'thumb*' or 'backup/*.jpg'; may be given several times");
}

pixpro::Selection selection_of(const std::vector<std::string>& exclude,
                               const std::vector<std::filesystem::path>& written) {
  pixpro::Selection selection{.written = written};
  for (const std::string& pattern : exclude) selection.exclude.push_back(trimmed(pattern));
  return selection;
}

std::unique_ptr<pixpro::Source> open_images(const SourceFlags& flags,
                                            const std::vector<std::filesystem::path>& written,
                                            int64_t process, int64_t processes) {
  return with_cache(
      pixpro::open_source(flags.data_dir, flags.zip, selection_of(flags.exclude, written)),
      kCacheModes.at(flags.cache_mode), process, processes);
}

pixpro::Settings image_settings(const pixpro::Source& source) {
  return {{kImages, std::to_string(source.size())}, {kFingerprint, fingerprint_of(source)}};
}

void require_same_images(const engine::TensorFile& checkpoint, const pixpro::Settings& images) {
  const auto recorded = [&](const char* name) {
    const auto found = checkpoint.metadata.find(name);
    return found == checkpoint.metadata.end() ? images.at(name) : found->second;
  };
  const std::string file = file_called(checkpoint), count = recorded(kImages);
  constexpr const char* kAdvice =
      "; go on with the same images (--data-dir, --exclude), or start a run in another "
      "--output-dir";
  engine::require(count == images.at(kImages), file, " is of a run with ", engine::shown(count),
                  " images, but there are ", images.at(kImages), " now", kAdvice);
  engine::require(recorded(kFingerprint) == images.at(kFingerprint), file,
                  " is of a run with other images: there are ", count,
                  " now as then, but some names or sizes differ", kAdvice);
}

}  // namespace apps
