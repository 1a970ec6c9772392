// The list of images next to a zip archive, as the published code reads it.
#pragma once

#include <string_view>

#include "pixpro/data/sources/string_list.h"

namespace pixpro {

// The paths of a text with one line "path<TAB>label" per image, in their order. Leading "/" and
// "./" are dropped. The label is a class number, which pre-training does not use; it may be
// missing, with or without its tab. Further columns, empty lines, a byte-order mark of UTF-8 and
// the line ends of Windows are ignored. Throws Error if there is no path, if the text is UTF-16,
// or, naming the line, if a line has another form.
StringList parse_map(std::string_view text);

}  // namespace pixpro
