#include "pixpro/data/sources/folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <optional>
#include <set>
#include <string_view>
#include <system_error>
#include <utility>

#include "engine/error.h"
#include "engine/files/escaped.h"
#include "pixpro/data/image.h"
#include "pixpro/data/sources/image_names.h"

namespace pixpro {
namespace {

namespace fs = std::filesystem;

using FileId = std::pair<dev_t, ino_t>;
FileId id_of(const struct stat& status) { return {status.st_dev, status.st_ino}; }

struct CloseFolder {
  void operator()(DIR* folder) const { closedir(folder); }
};
using OpenFolder = std::unique_ptr<DIR, CloseFolder>;

constexpr std::string_view kWritten = "written by a run";

// A run's output folder is known by its picture and one of the files beside it.
constexpr std::string_view kPicture = "views.png";
constexpr std::array<std::string_view, 3> kBesidePicture{"metrics.jsonl", "current.safetensors",
                                                         "weights.safetensors"};

bool is_forbidden(int error) { return error == EACCES || error == EPERM; }
bool is_missing(int error) { return error == ENOENT || error == ENOTDIR || error == ELOOP; }

[[noreturn]] void fail_at(const fs::path& path, int error) {
  engine::fail("cannot search for images at \"", engine::escaped(path.string()),
               "\": ", std::generic_category().message(error));
}

class Walk {
 public:
  Walk(const fs::path& root, const Selection& selection) : root_(root), selection_(selection) {
    for (const fs::path& path : selection.written) {
      struct stat status {};
      if (stat(path.c_str(), &status) != 0) continue;
      written_.insert(id_of(status));
      written_names_.insert(path.filename().string());
    }
  }

  ImageList search() {
    enter("");
    found_.names.shrink_to_fit();
    found_.folder_of.shrink_to_fit();
    return std::move(found_);
  }

 private:
  struct Entry {
    int folder;              // descriptor of the folder that it is in
    std::string name, path;  // the path is relative to the root
    unsigned char type;      // as the folder says: DT_REG, DT_DIR, ..., DT_UNKNOWN
  };

  // Adds the images of a folder and of those below it. Within a folder no name is the beginning of
  // another one together with its slash, so this order of the parts is the order of whole paths.
  void enter(const std::string& folder) {
    const StringList kept = names_in(folder);
    std::vector<std::string_view> names;
    names.reserve(static_cast<size_t>(kept.size()));
    for (int64_t i = 0; i < kept.size(); ++i) names.push_back(kept[i]);
    std::ranges::sort(names);
    std::optional<uint32_t> number;  // of this folder
    for (const std::string_view name : names) {
      if (name.ends_with('/')) {
        enter(folder + std::string(name));
        continue;
      }
      if (!number) {
        number = static_cast<uint32_t>(found_.folders.size());
        found_.folders.add(folder);
      }
      found_.names.add(name);
      found_.folder_of.push_back(*number);
    }
  }

  // The names of a folder's images, and of the folders in it with a slash at the end, in any order.
  StringList names_in(const std::string& folder) {
    StringList kept;
    const OpenFolder open = open_to_search(folder);
    if (open == nullptr) return kept;
    bool has_picture = false, has_run = false;
    for (errno = 0; const dirent* entry = readdir(open.get()); errno = 0) {
      const std::string_view name = entry->d_name;
      if (name == "." || name == "..") continue;
      has_run |= std::ranges::find(kBesidePicture, name) != kBesidePicture.end();
      const std::string kept_as =
          kept_name({dirfd(open.get()), entry->d_name, folder + entry->d_name, entry->d_type});
      if (kept_as == kPicture) {
        has_picture = true;  // decided below
      } else if (!kept_as.empty()) {
        kept.add(kept_as);
      }
    }
    if (errno != 0) fail_at(root_ / folder, errno);
    if (has_picture && has_run) found_.skipped.add_file(kWritten);
    if (has_picture && !has_run) kept.add(kPicture);
    return kept;
  }

  // Null if the folder is skipped.
  OpenFolder open_to_search(const std::string& folder) {
    const bool is_root = folder.empty();
    const fs::path path = is_root ? root_ : root_ / folder;
    OpenFolder open(opendir(path.c_str()));
    const bool may_enter =
        open != nullptr && faccessat(dirfd(open.get()), ".", X_OK, AT_EACCESS) == 0;
    struct stat status {};
    if (!may_enter || fstat(dirfd(open.get()), &status) != 0) {
      if (is_root || !(is_forbidden(errno) || is_missing(errno))) fail_at(path, errno);
      if (is_forbidden(errno)) {
        found_.skipped.add_forbidden_folder(folder.substr(0, folder.size() - 1));
      }
      return nullptr;
    }
    if (!is_root && written_.contains(id_of(status))) {
      found_.skipped.add_folder(kWritten);
      return nullptr;
    }
    if (!entered_.insert(id_of(status)).second) {
      found_.skipped.add_folder("entered by another path");
      return nullptr;
    }
    return open;
  }

  // The name of an image, the name of a folder with a slash at the end, or nothing for an entry
  // that is skipped and counted.
  std::string kept_name(const Entry& entry) {
    const Type type = type_of(entry);
    std::string reason(reserved_name(entry.name));
    if (reason.empty() && excludes(selection_.exclude, entry.path)) reason = "excluded";
    if (type == Type::folder) {
      if (reason.empty()) return entry.name + "/";
      found_.skipped.add_folder(reason);
      return {};
    }
    if (reason.empty()) reason = reason_by_type(type);
    if (reason.empty()) reason = reason_by_ending(entry);
    if (reason.empty()) return entry.name;
    found_.skipped.add_file(reason);
    return {};
  }

  enum class Type { file, folder, written, missing, forbidden, other };

  // Looks no closer than it must: for most entries the folder itself says what they are.
  Type type_of(const Entry& entry) {
    if (!written_names_.contains(entry.name)) {
      if (entry.type == DT_REG) return Type::file;
      if (entry.type == DT_DIR) return Type::folder;
    }
    struct stat status {};
    if (fstatat(entry.folder, entry.name.c_str(), &status, 0) != 0) {
      if (is_missing(errno)) return Type::missing;
      if (is_forbidden(errno)) return Type::forbidden;
      fail_at(root_ / entry.path, errno);
    }
    if (S_ISDIR(status.st_mode)) return Type::folder;
    if (!S_ISREG(status.st_mode)) return Type::other;
    return written_.contains(id_of(status)) ? Type::written : Type::file;
  }

  static std::string_view reason_by_type(Type type) {
    switch (type) {
      case Type::written:
        return kWritten;
      case Type::missing:
        return "linked to nothing";
      case Type::forbidden:
        return kForbidden;
      case Type::other:
        return "not regular";
      default:
        return {};
    }
  }

  std::string reason_by_ending(const Entry& entry) {
    const std::string ending = ending_of(entry.name);
    if (is_image_ending(ending)) return {};
    return ending.empty() ? reason_by_content(entry) : as_reason(ending);
  }

  // Opens a file without an ending to see whether it begins as an image does.
  std::string reason_by_content(const Entry& entry) {
    const int file = openat(entry.folder, entry.name.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0 && is_forbidden(errno)) return std::string(kForbidden);
    std::array<uint8_t, 32> first;
    const ssize_t count = file < 0 ? -1 : read(file, first.data(), first.size());
    if (count < 0 && !is_missing(errno)) fail_at(root_ / entry.path, errno);
    if (file >= 0) close(file);
    const bool is_image =
        count > 0 && has_image_signature(Bytes(first).first(static_cast<size_t>(count)));
    return is_image ? "" : "of no known format";
  }

  const fs::path& root_;
  const Selection& selection_;
  std::set<FileId> written_, entered_;
  std::set<std::string, std::less<>> written_names_;
  ImageList found_;
};

}  // namespace

std::string ImageList::path(int64_t i) const {
  std::string path(folders[folder_of[static_cast<size_t>(i)]]);
  return path += names[i];
}

ImageList list_images(const fs::path& folder, const Selection& selection) {
  const std::string shown = engine::escaped(folder.string());
  std::error_code ignored;
  engine::require(fs::is_directory(folder, ignored), "the image folder \"", shown,
                  "\" does not exist or is not a folder");
  ImageList found = Walk(folder, selection).search();
  const std::string skipped = found.skipped.text();
  engine::require(found.size() > 0,
                  "no JPEG, PNG, WebP, TIFF, BMP, GIF, PSD, TGA, PGM or PPM file in the image "
                  "folder \"",
                  shown, "\" or the folders below it", skipped.empty() ? "" : "; ", skipped);
  return found;
}

}  // namespace pixpro
