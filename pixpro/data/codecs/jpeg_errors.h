// Turns libjpeg's errors into exceptions, for jpeg.cpp and jpeg_encode.cpp.
#pragma once

#include <csetjmp>
#include <cstddef>
#include <cstdio>
// jpeglib.h needs the C headers above.
#include <jpeglib.h>

#include "engine/error.h"

namespace pixpro {

// The library reports an error by a call that must not return. That call jumps back to where the
// library was entered, over frames of the library only, and the exception is thrown there.
class JpegErrors {
 public:
  // For a jpeg_compress_struct or jpeg_decompress_struct, before it is created.
  template <class Info>
  void attach(Info& info) {
    info.err = jpeg_std_error(&manager_);
    info.client_data = this;
    manager_.error_exit = [](j_common_ptr common) {
      auto* self = static_cast<JpegErrors*>(common->client_data);
      self->manager_.format_message(common, self->message_);
      std::longjmp(self->entry_, 1);
    };
    // Damage that earns only a warning still leaves an image, as in Pillow.
    manager_.emit_message = [](j_common_ptr, int) {};
  }

  // Runs a call into the library. Objects created inside must not need a destructor, because an
  // error jumps over them.
  template <class Call>
  void guard(const Call& call) {
    if (setjmp(entry_) != 0) engine::fail("JPEG: ", static_cast<const char*>(message_));
    call();
  }

  // Ends such a call with an error, from a callback inside it.
  template <class... Arguments>
  [[noreturn]] void give_up(const char* format, Arguments... arguments) {
    std::snprintf(message_, sizeof message_, format, arguments...);
    std::longjmp(entry_, 1);
  }

 private:
  jpeg_error_mgr manager_{};
  std::jmp_buf entry_{};
  char message_[JMSG_LENGTH_MAX]{};
};

}  // namespace pixpro
