#include "pixpro/data/folder.h"

#include <algorithm>
#include <string>
#include <system_error>

#include "engine/error.h"

namespace pixpro {
namespace {

namespace fs = std::filesystem;

bool has_image_name(const fs::path& path) {
  std::string extension = path.extension().string();
  for (char& letter : extension) {
    if (letter >= 'A' && letter <= 'Z') letter = static_cast<char>(letter - 'A' + 'a');
  }
  return extension == ".jpg" || extension == ".jpeg" || extension == ".png";
}

// Adds the relative paths of the images below folder / relative. `ancestors` holds the real paths
// of the folders on the way here: a link to one of them would never end.
void collect(const fs::path& folder, const fs::path& relative, std::vector<fs::path>& ancestors,
             std::vector<std::string>& found) {
  const fs::path real = fs::canonical(folder / relative);
  if (std::find(ancestors.begin(), ancestors.end(), real) != ancestors.end()) return;
  ancestors.push_back(real);
  for (const fs::directory_entry& entry : fs::directory_iterator(folder / relative)) {
    const fs::path path = relative / entry.path().filename();
    std::error_code ignored;  // a link in a circle is neither a folder nor a file
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

}  // namespace

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
  engine::require(!found.empty(), "no .jpg, .jpeg or .png file in the image folder \"",
                  folder.string(), "\" or the folders below it");
  std::sort(found.begin(), found.end());
  std::vector<fs::path> paths;
  paths.reserve(found.size());
  for (const std::string& path : found) paths.push_back(folder / path);
  return paths;
}

}  // namespace pixpro
