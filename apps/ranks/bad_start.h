// The complaint of a program that was started wrongly: its --device does not exist, or two
// launchers have started it.
#pragma once

#include "engine/error.h"

namespace apps {

// Thrown before any file is touched; the exit status is 2.
class BadStart : public engine::Error {
  using Error::Error;
};

// Throws BadStart with all parts as one text unless the condition holds.
template <class... Parts>
void require_start(bool condition, const Parts&... parts) {
  if (condition) return;
  std::ostringstream text;
  (text << ... << parts);
  throw BadStart(text.str());
}

}  // namespace apps
