#include "tests/cuda_emulation/sanitizers.h"

#include <sys/mman.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>

// cuDNN loads libraries, queries them and unloads them. What they hold would then look leaked, and
// no report could name them, so they stay loaded. Their real leaks are not ours to fix.
extern "C" int dlclose(void*) { return 0; }
extern "C" const char* __lsan_default_suppressions() { return "leak:libcudnn\nleak:libcublasLt\n"; }
#endif
#ifdef CUDA_EMULATION_THREAD_SANITIZER
#include <sanitizer/tsan_interface.h>

// Exported by the same library, but declared in no header.
extern "C" {
void AnnotateIgnoreReadsBegin(const char* file, int line);
void AnnotateIgnoreReadsEnd(const char* file, int line);
void AnnotateIgnoreWritesBegin(const char* file, int line);
void AnnotateIgnoreWritesEnd(const char* file, int line);
}
#endif

namespace cuda_emulation {

#ifdef __SANITIZE_ADDRESS__

void forbid_access(void* begin, size_t bytes) { ASAN_POISON_MEMORY_REGION(begin, bytes); }
void allow_access(void* begin, size_t bytes) { ASAN_UNPOISON_MEMORY_REGION(begin, bytes); }

void leave_stack(Stack* from, const Stack& to) {
  __sanitizer_start_switch_fiber(&from->fake, to.bottom, to.bytes);
}
void arrive_on_stack(const Stack& at, Stack* from) {
  __sanitizer_finish_switch_fiber(at.fake, from ? &from->bottom : nullptr,
                                  from ? &from->bytes : nullptr);
}

#else

void forbid_access(void*, size_t) {}
void allow_access(void*, size_t) {}
void leave_stack(Stack*, const Stack&) {}
void arrive_on_stack(const Stack&, Stack*) {}

#endif

#ifdef CUDA_EMULATION_THREAD_SANITIZER

void release_order(const void* tag) { __tsan_release(const_cast<void*>(tag)); }
void acquire_order(const void* tag) { __tsan_acquire(const_cast<void*>(tag)); }

ActingThread::ActingThread(const char* name) : thread_(__tsan_create_fiber(0)) {
  __tsan_set_fiber_name(thread_, name);
}
ActingThread::~ActingThread() { __tsan_destroy_fiber(thread_); }

namespace {

const char kActors = 0;       // only its address counts
thread_local int acting = 0;  // acting threads entered and not left

}  // namespace

void acquire_order_of_actors() { acquire_order(&kActors); }

void* ActingThread::enter() {
  if (acting++ == 0) release_order(&kActors);
  void* before = __tsan_get_current_fiber();
  __tsan_switch_to_fiber(thread_, __tsan_switch_to_fiber_no_sync);
  return before;
}
void ActingThread::enter_again(void* before) {
  --acting;
  __tsan_switch_to_fiber(before, __tsan_switch_to_fiber_no_sync);
}

namespace {

void look_away() {
  AnnotateIgnoreReadsBegin(__FILE__, __LINE__);
  AnnotateIgnoreWritesBegin(__FILE__, __LINE__);
}
void look_again() {
  AnnotateIgnoreWritesEnd(__FILE__, __LINE__);
  AnnotateIgnoreReadsEnd(__FILE__, __LINE__);
}

}  // namespace

void* ActingThread::enter_unseen() {
  void* before = enter();
  look_away();
  return before;
}
void ActingThread::enter_again_from_unseen(void* before) {
  look_again();
  enter_again(before);
}

Seen::Seen() { look_again(); }
Seen::~Seen() { look_away(); }

void renew_pages(void* begin, size_t bytes) {
  mmap(begin, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}

#else

void release_order(const void*) {}
void acquire_order(const void*) {}
void acquire_order_of_actors() {}
ActingThread::ActingThread(const char*) {}
ActingThread::~ActingThread() = default;
void* ActingThread::enter() { return nullptr; }
void ActingThread::enter_again(void*) {}
void* ActingThread::enter_unseen() { return nullptr; }
void ActingThread::enter_again_from_unseen(void*) {}
Seen::Seen() = default;
Seen::~Seen() = default;
void renew_pages(void*, size_t) {}

#endif

}  // namespace cuda_emulation
