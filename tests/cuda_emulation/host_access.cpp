#include "tests/cuda_emulation/host_access.h"

#include <unistd.h>

#include <csignal>
#include <cstring>

namespace cuda_emulation {
namespace {

const char* device_begin = nullptr;
const char* device_end = nullptr;
struct sigaction previous;

// Does only what is allowed in a signal handler.
void on_segmentation_fault(int, siginfo_t* info, void*) {
  const char* address = static_cast<const char*>(info->si_addr);
  if (address >= device_begin && address < device_end) {
    constexpr char text[] = "cuda emulation: host code touched device memory\n";
    [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, text, sizeof text - 1);
  }
  // The faulting instruction runs again and reaches the previous handler.
  sigaction(SIGSEGV, &previous, nullptr);
}

}  // namespace

void explain_host_access(const char* begin, const char* end) {
  device_begin = begin;
  device_end = end;
  struct sigaction action;
  std::memset(&action, 0, sizeof action);
  action.sa_sigaction = on_segmentation_fault;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGSEGV, &action, &previous);
}

}  // namespace cuda_emulation
