// Text from outside (names of files, of entries, of tensors) in a form that may be shown.
#pragma once

#include <string>
#include <string_view>

namespace engine {

// The text as valid UTF-8 without anything that moves a cursor or hides text: control characters,
// the marks that reverse the direction of writing, and bytes that are not UTF-8 become \n, \t, \r
// or \xNN. Everything else stays, backslashes too, so that escaping twice is the same as once.
std::string escaped(std::string_view text);

}  // namespace engine
