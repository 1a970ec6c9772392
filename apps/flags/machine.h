// The flags that say where and in which precision to compute, and from which seed.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "apps/command.h"
#include "apps/threads.h"
#include "engine/device.h"

namespace apps {

struct MachineFlags {
  uint64_t seed = 0;
  int threads = 0;  // of each rank; 0: all cores that it may use
  std::string device = "cpu";
  std::string precision = "f32";
  bool cudnn_benchmark = false;
  bool deterministic = false;
  std::string conv_algorithm = "auto";
};

void add_machine_flags(Command& command, MachineFlags& flags);

void add_seed(Command& command, uint64_t& seed);  // --seed alone

// The devices of --device, of which there is at least one. Throws BadStart if they do not exist.
std::vector<engine::Device> devices_of(const MachineFlags& flags);

// The first of them.
engine::Device device_of(const MachineFlags& flags);

// The type of activations and convolutions. Throws Error if the device does not compute in it.
engine::DType precision_of(const MachineFlags& flags);

// Sets up this thread to compute as the flags say on one of their devices. Returns the CPU threads
// that it got.
Threads use_machine(const MachineFlags& flags, engine::Device device,
                    const engine::Sharing& sharing = {});
// For a command that runs on one device: throws BadStart if the flags name several.
Threads use_machine(const MachineFlags& flags);

}  // namespace apps
