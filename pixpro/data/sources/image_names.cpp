#include "pixpro/data/sources/image_names.h"

#include <fnmatch.h>

#include <algorithm>
#include <array>

namespace pixpro {
namespace {

constexpr std::array<std::string_view, 16> kRead{".jpg",  ".jpeg", ".jpe",  ".jfif", ".jif", ".png",
                                                 ".webp", ".tif",  ".tiff", ".bmp",  ".gif", ".psd",
                                                 ".tga",  ".pgm",  ".ppm",  ".pnm"};

// Images too, but of formats that are not read. Those of cameras are TIFF files of a kind, in which
// only the thumbnail could be read.
constexpr std::array<std::string_view, 34> kNotSupported{
    ".heic", ".heif", ".avif", ".jxl", ".jp2", ".j2k", ".jxr", ".svg", ".ico",
    ".exr",  ".hdr",  ".pbm",  ".pcx", ".eps", ".dng", ".cr2", ".cr3", ".nef",
    ".nrw",  ".arw",  ".sr2",  ".srf", ".raf", ".orf", ".rw2", ".pef", ".srw",
    ".3fr",  ".iiq",  ".kdc",  ".dcr", ".raw", ".dcm", ".xcf"};

// Lower case. Recycle bins and snapshots hold images, but not those of the data set.
constexpr std::array<std::string_view, 13> kOfSystems{"__macosx",
                                                      "@eadir",
                                                      "#recycle",
                                                      "@recycle",
                                                      "$recycle.bin",
                                                      "#snapshot",
                                                      "~snapshot",
                                                      "@tmp",
                                                      "thumbs.db",
                                                      "ehthumbs.db",
                                                      "desktop.ini",
                                                      "icon\r",
                                                      "system volume information"};

constexpr size_t kLongestEnding = 12;

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::string lower_case(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

bool excludes_itself(const std::vector<std::string>& patterns, const std::string& path) {
  const std::string name = path.substr(path.rfind('/') + 1);
  return std::ranges::any_of(patterns, [&](const std::string& pattern) {
    return fnmatch(pattern.c_str(), path.c_str(), 0) == 0 ||
           fnmatch(pattern.c_str(), name.c_str(), 0) == 0;
  });
}

bool contains(const auto& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

}  // namespace

std::string_view reserved_name(std::string_view name) {
  if (name.starts_with('.')) return "hidden";
  return contains(kOfSystems, lower_case(name)) ? name : std::string_view();
}

std::string_view reserved_path(std::string_view path) {
  while (!path.empty()) {
    const std::string_view name = path.substr(0, path.find('/'));
    if (const std::string_view reason = reserved_name(name); !reason.empty()) return reason;
    path.remove_prefix(std::min(path.size(), name.size() + 1));
  }
  return {};
}

std::string ending_of(std::string_view name) {
  const size_t dot = name.rfind('.');
  if (dot == std::string_view::npos) return {};
  const std::string_view letters = name.substr(dot + 1);
  const bool is_ending =
      letters.size() <= kLongestEnding && std::ranges::any_of(letters, is_letter) &&
      std::ranges::all_of(letters, [](char c) { return is_letter(c) || is_digit(c); });
  return is_ending ? lower_case(name.substr(dot)) : std::string();
}

bool is_image_ending(std::string_view ending) { return contains(kRead, ending); }

std::string as_reason(const std::string& ending) {
  return contains(kNotSupported, ending) ? ending + " (not supported)" : ending;
}

bool excludes(const std::vector<std::string>& patterns, std::string_view path) {
  if (patterns.empty()) return false;
  for (size_t end = path.find('/');; end = path.find('/', end + 1)) {
    if (excludes_itself(patterns, std::string(path.substr(0, end)))) return true;
    if (end == std::string_view::npos) return false;
  }
}

}  // namespace pixpro
