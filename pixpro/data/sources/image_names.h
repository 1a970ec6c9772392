// What the name of a file says about its content.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace pixpro {

// Why a file or folder of this name is never part of a data set, whatever it holds: "hidden" if the
// name begins with a dot, as those of .DS_Store and of macOS's ._photo.jpg do, or the name itself
// if it is one that systems give to files and folders of their own (__MACOSX, @eaDir, Thumbs.db).
// Empty if it may be part of one. `name` is the last part of a path.
std::string_view reserved_name(std::string_view name);

// The same for all parts of a path with slashes between them.
std::string_view reserved_path(std::string_view path);

// The ending of a name in lower case, ".jpg". Empty if there is none: what follows the last dot
// must be letters and digits, at least one letter and at most twelve in all, so "a.b c", "img.0001"
// and "photo.jpg?w=200" have none.
std::string ending_of(std::string_view name);

// Whether it is the ending of a format that is read.
bool is_image_ending(std::string_view ending);

// The ending as a reason to skip a file: ".txt", ".heic (not supported)".
std::string as_reason(const std::string& ending);

// Whether one of the shell patterns (*, ?, [a-z]; * matches slashes too) matches the path of a file
// or of a folder that it is in, or the last part of one of these.
bool excludes(const std::vector<std::string>& patterns, std::string_view path);

}  // namespace pixpro
