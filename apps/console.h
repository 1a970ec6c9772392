// What a long run tells people. Output that goes nowhere is no reason to stop or to wait: a reader
// may be gone (`| head`), a terminal lost, a disk with a log full, a pager paused.
#pragma once

#include <string>

namespace apps {

// Has a thread write the text to standard output, or "pixpro: TEXT" and a line break to standard
// error. Errors are ignored. If a thousand texts wait to be written, further ones are dropped.
void say(const std::string& text);
void warn(const std::string& text);

// Returns once all texts have been written, or after a second. To be called before the program ends
// or writes elsewhere.
void finish_output();

}  // namespace apps
