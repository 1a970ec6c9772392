// Tells AddressSanitizer and ThreadSanitizer about device memory and fibers; does nothing if they
// are off. Under ThreadSanitizer the program under test and its kernels are instrumented and the
// emulation is not, so the only order it sees is the order that CUDA promises.
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

// Orders the caller of acquire after earlier callers of release with the same tag.
void release_order(const void* tag);
void acquire_order(const void* tag);

// A CUDA thread or a stream, which ThreadSanitizer takes for a thread. It is ordered after
// everything that its creator has done before, and after nothing else.
class ActingThread {
 public:
  explicit ActingThread(const char* name);
  ~ActingThread();
  ActingThread(const ActingThread&) = delete;
  ActingThread& operator=(const ActingThread&) = delete;

  // From here on the caller acts as this thread. Returns who it was before.
  void* enter();
  static void enter_again(void* before);

  // The same, but only accesses in a Seen scope count: the rest is the emulation's own work.
  void* enter_unseen();
  static void enter_again_from_unseen(void* before);

 private:
  void* thread_ = nullptr;
};

// Orders the caller after everything each thread did before it began to act as another. While
// acting, a thread may pass the emulation's lock on without publishing its own earlier work.
void acquire_order_of_actors();

class Seen {
 public:
  Seen();
  ~Seen();
  Seen(const Seen&) = delete;
  Seen& operator=(const Seen&) = delete;
};

// Makes ThreadSanitizer forget earlier accesses to the pages. Their contents are lost.
void renew_pages(void* begin, size_t bytes);

// To be called before and after a switch of stacks.
struct Stack {
  const void* bottom = nullptr;
  size_t bytes = 0;
  void* fake = nullptr;
};
void leave_stack(Stack* from, const Stack& to);
void arrive_on_stack(const Stack& at, Stack* from);

}  // namespace cuda_emulation
