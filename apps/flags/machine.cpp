#include "apps/flags/machine.h"

#include <map>

#include "apps/flags/checks.h"
#include "apps/ranks/bad_start.h"
#include "apps/ranks/devices.h"
#include "engine/context.h"
#include "engine/ranks/devices.h"

namespace apps {

void add_machine_flags(Command& command, MachineFlags& flags) {
  add_seed(command, flags.seed);
  command.add("--threads", &flags.threads, ChangesNumbers::no,
              "CPU threads that compute, per rank; 0: one per core that the rank may use",
              CLI::Range(0, 4096));
  command.add("--device", &flags.device, ChangesNumbers::no,
              "cpu, cuda or cuda:N; one rank per GPU: cuda:0-7, cuda:0,2,3 or cuda:all");
  command.add("--precision", &flags.precision, ChangesNumbers::yes,
              "Type of convolutions and activations: f32; on CUDA also tf32, bf16, fp16 (mixed "
              "precision); on the CPU also f64",
              CLI::IsMember({"f32", "f64", "tf32", "bf16", "fp16"}));
  command.add("--cudnn-benchmark", &flags.cudnn_benchmark, ChangesNumbers::no,
              "CUDA: time the candidates for every convolution");
  command.add("--deterministic", &flags.deterministic, ChangesNumbers::no,
              "CUDA: only convolutions that give the same bits in every run");
  command.add("--conv-algorithm", &flags.conv_algorithm, ChangesNumbers::no,
              "How the CPU convolves float32: auto, or one kind wherever it can",
              CLI::IsMember({"auto", "direct", "winograd", "library"}));
}

void add_seed(Command& command, uint64_t& seed) {
  command.add("--seed", &seed, ChangesNumbers::yes,
              "Seed of all random numbers: initial weights, order of the images, views");
}

std::vector<engine::Device> devices_of(const MachineFlags& flags) {
  require_start(engine::kHasCuda || !flags.device.starts_with("cuda"), "--device: '", flags.device,
                "' needs a build with CUDA (cmake --preset cuda); this one was built without it");
  return parse_devices(flags.device, flags.device == "cpu" ? 0 : engine::count_cuda_devices());
}

engine::Device device_of(const MachineFlags& flags) { return devices_of(flags).front(); }

engine::DType precision_of(const MachineFlags& flags) {
  const bool on_cpu = device_of(flags) == engine::kCpu;
  const std::map<std::string, engine::DType> here =
      on_cpu ? std::map<std::string, engine::DType>{{"f32", engine::DType::f32},
                                                    {"f64", engine::DType::f64}}
             : std::map<std::string, engine::DType>{{"f32", engine::DType::f32},
                                                    {"tf32", engine::DType::f32},
                                                    {"bf16", engine::DType::bf16},
                                                    {"fp16", engine::DType::f16}};
  const auto found = here.find(flags.precision);
  engine::require(found != here.end(), "precision: ", flags.precision, " is for --device ",
                  on_cpu ? "cuda" : "cpu");
  return found->second;
}

Threads use_machine(const MachineFlags& flags, engine::Device device,
                    const engine::Sharing& sharing) {
  if constexpr (engine::kHasCuda) {
    if (device != engine::kCpu) {
      engine::set_cuda(device.index, {.tf32 = flags.precision == "tf32",
                                      .deterministic = flags.deterministic,
                                      .benchmark = flags.cudnn_benchmark});
    }
  }
  const std::map<std::string, engine::ConvPolicy> policies = {
      {"auto", engine::ConvPolicy::automatic},
      {"direct", engine::ConvPolicy::direct},
      {"winograd", engine::ConvPolicy::winograd},
      {"library", engine::ConvPolicy::library}};
  engine::cpu_context().settings.conv_policy = policies.at(flags.conv_algorithm);
  return use_threads(flags.threads, sharing);
}

Threads use_machine(const MachineFlags& flags) {
  const std::vector<engine::Device> devices = devices_of(flags);
  require_start(devices.size() == 1, "--device: this command runs on one device, found '",
                flags.device, "'");
  return use_machine(flags, devices.front());
}

}  // namespace apps
