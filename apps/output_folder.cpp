#include "apps/output_folder.h"

#include <system_error>

#include "engine/error.h"

namespace apps {

void make_output_folder(const std::filesystem::path& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  engine::require(!error && std::filesystem::is_directory(path),
                  "output: cannot create the folder '", path.string(), "': ", error.message());
}

}  // namespace apps
