#include "engine/ranks/texts.h"

#include <algorithm>
#include <cstring>

#include "engine/tensor_ops.h"

namespace engine {
namespace {

Tensor bytes_of(const std::string& text, int64_t length, Device device) {
  Tensor bytes({length}, DType::u8);
  std::memset(bytes.raw(), 0, static_cast<size_t>(length));
  std::memcpy(bytes.raw(), text.data(), text.size());
  return to_device(bytes, device);
}

// The lengths of all ranks' texts.
std::vector<double> lengths_of(Communicator& lane, Device device, const std::string& text) {
  const Tensor own = to_device(full({1}, static_cast<double>(text.size()), DType::f64), device);
  Tensor all({lane.size()}, DType::f64, device);
  lane.all_gather(own, all);
  std::vector<double> lengths = to_values(all);
  lane.check_health();  // a collective that was aborted leaves anything
  return lengths;
}

}  // namespace

std::string text_of_rank_zero(Communicator& lane, Device device, const std::string& text) {
  const auto length = static_cast<int64_t>(lengths_of(lane, device, text)[0]);
  if (length == 0) return {};
  Tensor bytes = bytes_of(lane.rank() == 0 ? text : std::string(), length, device);
  lane.broadcast(bytes, 0);
  const Tensor here = to_device(bytes, kCpu);
  lane.check_health();
  return {reinterpret_cast<const char*>(here.raw()), static_cast<size_t>(length)};
}

std::vector<std::string> texts_of_ranks(Communicator& lane, Device device,
                                        const std::string& text) {
  const std::vector<double> lengths = lengths_of(lane, device, text);
  const auto longest = static_cast<int64_t>(std::ranges::max(lengths));
  if (longest == 0) return std::vector<std::string>(lengths.size());
  Tensor all({lane.size(), longest}, DType::u8, device);
  lane.all_gather(bytes_of(text, longest, device), all);
  const Tensor here = to_device(all, kCpu);
  lane.check_health();
  const char* begin = reinterpret_cast<const char*>(here.raw());
  std::vector<std::string> texts;
  for (const double length : lengths) {
    texts.emplace_back(begin, static_cast<size_t>(length));
    begin += longest;
  }
  return texts;
}

}  // namespace engine
