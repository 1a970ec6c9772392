// Messages of commands that run for long. They neither stop nor wait if nobody takes the output:
// the reader has gone (`| head`), the terminal is closed, the disk is full or the pager pauses.
#pragma once

#include <string>

namespace apps {

// To be called first of all. Makes writing to a closed pipe or beyond a limit on the size of files
// an error instead of the end of the program, and keeps files from taking the place of a standard
// stream that the program was started without.
void prepare_output();

// Has a thread write the text to standard output, or "pixpro: TEXT" and a line break to standard
// error. Errors are ignored. If a thousand texts wait to be written, further ones are dropped.
void say(const std::string& text);
void warn(const std::string& text);

// Returns once all texts have been written, or after a second. To be called before the program ends
// or writes elsewhere.
void finish_output();

}  // namespace apps
