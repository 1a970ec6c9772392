// How libjpeg reports trouble, made into exceptions. For jpeg.cpp and jpeg_encode.cpp.
#pragma once

#include <csetjmp>
#include <cstddef>
#include <cstdio>
// jpeglib.h needs the C headers above.
#include <jpeglib.h>

#include "engine/error.h"

namespace pixpro {

// The library reports trouble by a call that must not return. It jumps back to where the library
// was entered, past the library's own frames only, and the error is thrown there.
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
    // Other damage earns a warning and leaves a picture, as with Pillow.
    manager_.emit_message = [](j_common_ptr, int) {};
  }

  // Runs a call into the library. Objects made inside must own nothing: an error jumps over them.
  template <class Call>
  void guard(const Call& call) {
    if (setjmp(entry_) != 0) engine::fail("JPEG: ", static_cast<const char*>(message_));
    call();
  }

  // From a callback inside such a call: gives it up.
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
