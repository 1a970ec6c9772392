#include "engine/on_two_threads.h"

#include <omp.h>

#include <exception>

#include "engine/profile.h"

namespace engine {
namespace {

// Runs a piece on the calling thread with this context in place of the thread's own.
std::exception_ptr run_with(CpuContext& context, const std::function<void()>& piece) {
  std::swap(context, cpu_context());
  std::exception_ptr failure;
  try {
    piece();
  } catch (...) {
    failure = std::current_exception();
  }
  std::swap(context, cpu_context());
  return failure;
}

// The pieces run at the same time, so a second of each is one second for the caller.
void add_half_of_time(const Profile& piece, Profile& whole) {
  for (const auto& [name, kernel] : piece.kernels) {
    KernelTotal total = kernel;
    total.seconds *= 0.5;
    whole.kernels[name] += total;
  }
}

}  // namespace

void on_two_threads(Device device, const std::function<void()>& first,
                    const std::function<void()>& second) {
  if (device != kCpu || omp_get_max_threads() != 2 || omp_in_parallel()) {
    first();
    second();
    return;
  }
  CpuContext& caller = cpu_context();
  CpuContext contexts[2];
  Profile profiles[2];
  std::exception_ptr failures[2];
  for (int i = 0; i < 2; ++i) {
    contexts[i].settings = caller.settings;
    if (caller.profile != nullptr) contexts[i].profile = &profiles[i];
  }
#pragma omp parallel num_threads(2)
  {
    omp_set_num_threads(1);  // for the kernels this thread calls, until the region ends
    for (int i = omp_get_thread_num(); i < 2; i += omp_get_num_threads()) {
      failures[i] = run_with(contexts[i], i == 0 ? first : second);
    }
  }
  for (int i = 0; i < 2; ++i) {
    caller.counters += contexts[i].counters;
    if (caller.profile != nullptr) add_half_of_time(profiles[i], *caller.profile);
  }
  for (const std::exception_ptr& failure : failures) {
    if (failure) std::rethrow_exception(failure);
  }
}

}  // namespace engine
