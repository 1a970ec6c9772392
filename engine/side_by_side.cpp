#include "engine/side_by_side.h"

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

void add_half(const Profile& part, Profile& whole) {
  for (const auto& [name, kernel] : part.kernels) {
    KernelTotal& total = whole.kernels[name];
    total.calls += kernel.calls;
    total.seconds += 0.5 * kernel.seconds;
    total.flops += kernel.flops;
    total.bytes += kernel.bytes;
  }
}

}  // namespace

void side_by_side(const std::function<void()>& first, const std::function<void()>& second) {
  if (omp_get_max_threads() != 2 || omp_in_parallel()) {
    first();
    second();
    return;
  }
  CpuContext& caller = cpu_context();
  CpuContext contexts[] = {caller, caller};
  Profile profiles[2];
  std::exception_ptr failures[2];
  for (int i = 0; i < 2; ++i) {
    contexts[i].reorders = contexts[i].packings = 0;
    if (caller.profile != nullptr) contexts[i].profile = &profiles[i];
  }
#pragma omp parallel num_threads(2)
  {
    omp_set_num_threads(1);  // of this thread, as long as the region lasts
    for (int i = omp_get_thread_num(); i < 2; i += omp_get_num_threads()) {
      failures[i] = run_with(contexts[i], i == 0 ? first : second);
    }
  }
  for (int i = 0; i < 2; ++i) {
    caller.reorders += contexts[i].reorders;
    caller.packings += contexts[i].packings;
    if (caller.profile != nullptr) add_half(profiles[i], *caller.profile);
  }
  for (const std::exception_ptr& failure : failures) {
    if (failure) std::rethrow_exception(failure);
  }
}

}  // namespace engine
