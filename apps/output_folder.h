// The folder in which a command writes several files.
#pragma once

#include <filesystem>

namespace apps {

// Creates the folder, and those above it, if it does not exist. Throws Error if that fails.
void make_output_folder(const std::filesystem::path& path);

}  // namespace apps
