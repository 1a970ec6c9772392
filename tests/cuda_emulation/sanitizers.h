// What AddressSanitizer and ThreadSanitizer have to be told of device memory and of fibers; nothing
// where they are off. Under ThreadSanitizer the program under test and its kernels are
// instrumented, the emulation is not: all order that it sees is the order that CUDA promises.
#pragma once

#include <cstddef>

namespace cuda_emulation {

#ifdef __SANITIZE_ADDRESS__
inline constexpr bool kAddressSanitizer = true;
#else
inline constexpr bool kAddressSanitizer = false;
#endif
#ifdef CUDA_EMULATION_THREAD_SANITIZER
inline constexpr bool kThreadSanitizer = true;
#else
inline constexpr bool kThreadSanitizer = false;
#endif

void forbid_access(void* begin, size_t bytes);
void allow_access(void* begin, size_t bytes);

// Whoever calls acquire comes after whoever called release before.
void release_order(const void* tag);
void acquire_order(const void* tag);

// What ThreadSanitizer takes for a thread: a CUDA thread, a stream. Begins after everything that
// its maker has done; no other order comes of it.
class ActingThread {
 public:
  explicit ActingThread(const char* name);
  ~ActingThread();
  ActingThread(const ActingThread&) = delete;
  ActingThread& operator=(const ActingThread&) = delete;

  // From here on the caller acts as this thread; returns who it was before.
  void* enter();
  static void enter_again(void* before);

  // The same, but only what happens in a Seen scope counts: the rest is the emulation's own work.
  void* enter_unseen();
  static void enter_again_from_unseen(void* before);

 private:
  void* thread_ = nullptr;
};

// Comes after all that threads did before they acted as others: as such they may have handed on the
// emulation's lock, and not shown by it what they had done themselves.
void acquire_order_of_actors();

class Seen {
 public:
  Seen();
  ~Seen();
  Seen(const Seen&) = delete;
  Seen& operator=(const Seen&) = delete;
};

// Forgets who touched the pages, so that their next use is not held against the last. Their
// contents are lost.
void renew_pages(void* begin, size_t bytes);

// Around a change of stacks.
struct Stack {
  const void* bottom = nullptr;
  size_t bytes = 0;
  void* fake = nullptr;
};
void leave_stack(Stack* from, const Stack& to);
void arrive_on_stack(const Stack& at, Stack* from);

}  // namespace cuda_emulation
