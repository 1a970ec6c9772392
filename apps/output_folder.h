// Where a command writes several files.
#pragma once

#include <filesystem>

namespace apps {

// Makes the folder, and those above it, unless it is there. Throws Error where it cannot.
void make_output_folder(const std::filesystem::path& path);

}  // namespace apps
