#include "tests/cuda_emulation/kernels/fiber.h"

#include <sys/mman.h>

#include <new>

#ifndef __x86_64__
#error "The switch between fibers is written for x86-64."
#endif

// Pushes the callee-saved registers, stores the stack pointer in *from and continues from the stack
// pointer `to`. (System V ABI. The rounding mode is not saved, because nothing changes it.)
extern "C" void cuda_emulation_switch(void** from, void* to);
asm(R"(
.text
.type cuda_emulation_switch, @function
cuda_emulation_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size cuda_emulation_switch, . - cuda_emulation_switch
)");

namespace cuda_emulation {
namespace {

constexpr size_t kGuardBytes = 4096;

// The running fiber, and the stack pointer of its caller. Fibers run under the emulator's lock.
Fiber* running = nullptr;
void* system_stack_pointer = nullptr;

Stack system_stack;
void* system_thread = nullptr;

}  // namespace

Fiber::Fiber(void (*entry)()) : entry_(entry) {
  void* mapping = mmap(nullptr, kGuardBytes + kStackBytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapping == MAP_FAILED) throw std::bad_alloc();
  mprotect(mapping, kGuardBytes, PROT_NONE);
  mapping_ = static_cast<char*>(mapping);
  stack_ = {mapping_ + kGuardBytes, kStackBytes};
  // As if begin() had been called and had switched away: its address, and below it six registers.
  void** top = reinterpret_cast<void**>(mapping_ + kGuardBytes + kStackBytes);
  top[-2] = reinterpret_cast<void*>(&Fiber::begin);
  stack_pointer_ = top - 8;
}

Fiber::~Fiber() { munmap(mapping_, kGuardBytes + kStackBytes); }

void Fiber::begin() {
  arrive_on_stack({}, &system_stack);
  running->entry_();
}

void Fiber::resume() {
  running = this;
  leave_stack(&system_stack, stack_);
  system_thread = thread_.enter();
  cuda_emulation_switch(&system_stack_pointer, stack_pointer_);
  arrive_on_stack(system_stack, nullptr);
}

void Fiber::suspend() {
  Fiber* self = running;
  leave_stack(&self->stack_, system_stack);
  ActingThread::enter_again(system_thread);
  cuda_emulation_switch(&self->stack_pointer_, system_stack_pointer);
  arrive_on_stack(self->stack_, &system_stack);
}

}  // namespace cuda_emulation
