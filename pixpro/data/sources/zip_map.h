// The list of pictures beside a zip archive, as the published code reads it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace pixpro {

// The paths of a text with one line "path<TAB>label" a picture, in their order; a slash in front is
// dropped, further columns are ignored. The label is a class number, which pre-training does not
// use. Throws Error naming the line that is none, and where there is no line at all.
std::vector<std::string> parse_map(std::string_view text);

}  // namespace pixpro
