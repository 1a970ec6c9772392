#include "pixpro/data/sources/folder.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <system_error>

#include "engine/error.h"
#include "pixpro/data/sources/file_bytes.h"
#include "pixpro/data/sources/source.h"

namespace pixpro {
namespace {

namespace fs = std::filesystem;

bool has_image_name(const fs::path& path) {
  std::string extension = path.extension().string();
  for (char& letter : extension) {
    if (letter >= 'A' && letter <= 'Z') letter = static_cast<char>(letter - 'A' + 'a');
  }
  constexpr std::array<std::string_view, 13> kKnown{".jpg",  ".jpeg", ".png", ".webp", ".tif",
                                                    ".tiff", ".bmp",  ".gif", ".psd",  ".tga",
                                                    ".pgm",  ".ppm",  ".pnm"};
  return std::ranges::find(kKnown, extension) != kKnown.end();
}

// Adds the relative paths of the images below folder / relative. `ancestors` holds the real paths
// of the folders above: following a link to one of them would never end.
void collect(const fs::path& folder, const fs::path& relative, std::vector<fs::path>& ancestors,
             std::vector<std::string>& found) {
  const fs::path real = fs::canonical(folder / relative);
  if (std::find(ancestors.begin(), ancestors.end(), real) != ancestors.end()) return;
  ancestors.push_back(real);
  for (const fs::directory_entry& entry : fs::directory_iterator(folder / relative)) {
    const fs::path path = relative / entry.path().filename();
    std::error_code ignored;  // a link to itself is neither a folder nor a file
    const fs::file_type type = entry.status(ignored).type();
    if (type == fs::file_type::directory) {
      collect(folder, path, ancestors, found);
    } else if (has_image_name(path) &&
               (type == fs::file_type::regular || entry.is_symlink(ignored))) {
      found.push_back(path.string());
    }
  }
  ancestors.pop_back();
}

class FolderSource : public Source {
 public:
  explicit FolderSource(std::vector<fs::path> files) : files_(std::move(files)) {}

  int64_t size() const override { return static_cast<int64_t>(files_.size()); }
  std::string name(int64_t i) const override { return files_[static_cast<size_t>(i)].string(); }
  Bytes read(int64_t i, std::vector<uint8_t>& buffer) const override {
    read_file(files_[static_cast<size_t>(i)], buffer);
    return buffer;
  }

 private:
  const std::vector<fs::path> files_;
};

}  // namespace

std::unique_ptr<Source> open_folder(const fs::path& folder) {
  return std::make_unique<FolderSource>(list_images(folder));
}

std::vector<fs::path> list_images(const fs::path& folder) {
  std::error_code ignored;
  engine::require(fs::is_directory(folder, ignored), "the image folder \"", folder.string(),
                  "\" does not exist or is not a folder");
  std::vector<fs::path> ancestors;
  std::vector<std::string> found;
  try {
    collect(folder, "", ancestors, found);
  } catch (const fs::filesystem_error& error) {
    engine::fail("cannot search the image folder \"", folder.string(), "\": ", error.what());
  }
  engine::require(!found.empty(),
                  "no JPEG, PNG, WebP, TIFF, BMP, GIF, PSD, TGA, PGM or PPM file in the image "
                  "folder \"",
                  folder.string(), "\" or the folders below it");
  std::sort(found.begin(), found.end());
  std::vector<fs::path> paths;
  paths.reserve(found.size());
  for (const std::string& path : found) paths.push_back(folder / path);
  return paths;
}

}  // namespace pixpro
