// The flags that say where and in which precision to compute, and from which seed.
#pragma once

#include <cstdint>
#include <string>

#include "apps/command.h"
#include "apps/threads.h"
#include "engine/device.h"

namespace apps {

struct MachineFlags {
  uint64_t seed = 0;
  int threads = 0;  // 0: all cores
  std::string device = "cpu";
  std::string precision = "f32";
  bool cudnn_benchmark = false;
  bool deterministic = false;
  std::string conv_algorithm = "auto";
};

void add_machine_flags(Command& command, MachineFlags& flags);

void add_seed(Command& command, uint64_t& seed);  // --seed alone

engine::Device device_of(const MachineFlags& flags);

// The type of activations and convolutions. Throws Error if the device does not compute in it.
engine::DType precision_of(const MachineFlags& flags);

// Sets up this thread to compute as the flags say. Returns the CPU threads that it got.
Threads use_machine(const MachineFlags& flags);

}  // namespace apps
