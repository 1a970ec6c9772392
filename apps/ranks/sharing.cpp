#include "apps/ranks/sharing.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <string>

#include "engine/random.h"
#include "engine/tensor_ops.h"

namespace apps {
namespace {

using engine::DType;
using engine::Tensor;

// A number that processes have in common if they run on the same cores, whatever a container calls
// its machine: Linux draws this text whenever it boots.
uint64_t machine_id() {
  std::string text;
  std::ifstream("/proc/sys/kernel/random/boot_id") >> text;
  return engine::hash_name(text);
}

}  // namespace

engine::Sharing find_sharing(engine::Communicator& ranks, engine::Device device) {
  const auto mask = engine::core_mask();
  const auto words = static_cast<int64_t>(mask.size());
  // A row per rank: the machine, then the cores.
  Tensor own({1 + words}, DType::i64);
  own.data<int64_t>()[0] = static_cast<int64_t>(machine_id());
  std::ranges::transform(mask, own.data<int64_t>() + 1,
                         [](uint64_t word) { return static_cast<int64_t>(word); });
  Tensor all({ranks.size(), 1 + words}, DType::i64, device);
  ranks.all_gather(to_device(own, device), all);
  const Tensor rows = to_device(all, engine::kCpu);
  ranks.check_health();

  engine::Sharing sharing{.cores = 0, .machine = 0};
  for (int64_t rank = 0; rank < ranks.size(); ++rank) {
    const int64_t* row = rows.data<int64_t>() + rank * (1 + words);
    if (row[0] != own.data<int64_t>()[0]) continue;
    ++sharing.machine;
    const bool share_cores = !std::ranges::equal(
        mask, std::span(row + 1, mask.size()),
        [](uint64_t a, int64_t b) { return (a & static_cast<uint64_t>(b)) == 0; });
    if (share_cores) ++sharing.cores;
  }
  return sharing;
}

}  // namespace apps
