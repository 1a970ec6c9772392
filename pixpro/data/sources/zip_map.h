// The list of images next to a zip archive, as the published code reads it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace pixpro {

// The paths of a text with one line "path<TAB>label" per image, in their order. Leading slashes are
// dropped and further columns ignored. The label is a class number, which pre-training does not
// use. Throws Error if there is no line, or, naming the line, if it has another form.
std::vector<std::string> parse_map(std::string_view text);

}  // namespace pixpro
