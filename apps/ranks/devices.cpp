#include "apps/ranks/devices.h"

#include <algorithm>
#include <optional>
#include <string_view>

#include "apps/flags/parse_number.h"
#include "apps/ranks/bad_start.h"

namespace apps {
namespace {

constexpr std::string_view kList = "cuda:";

constexpr const char* kExpected =
    "--device: expected cpu, cuda, cuda:N, cuda:0-7, cuda:0,2,3 or cuda:all, found '";

// First and last GPU of "3" or "0-7"; nothing if the text is neither.
struct Range {
  int first = 0, last = 0;
};
std::optional<Range> range_of(std::string_view text) {
  const size_t dash = text.find('-');
  const std::optional<int> first = parse_number<int>(text.substr(0, dash));
  const std::optional<int> last =
      dash == std::string_view::npos ? first : parse_number<int>(text.substr(dash + 1));
  return first && last ? std::optional(Range{*first, *last}) : std::nullopt;
}

// The GPUs of a list such as "0,2-4".
std::vector<int> gpus_of(const std::string& device, std::string_view list, int gpus) {
  std::vector<int> chosen;
  for (size_t begin = 0; begin <= list.size();) {
    const size_t end = std::min(list.find(',', begin), list.size());
    const std::optional<Range> range = range_of(list.substr(begin, end - begin));
    require_start(range.has_value(), kExpected, device, "'");
    require_start(range->first <= range->last, "--device: the range ", range->first, "-",
                  range->last, " of '", device, "' is empty: name the smaller number first");
    for (int gpu = range->first; gpu <= range->last; ++gpu) {
      require_start(gpu < gpus, "--device: there is no cuda:", gpu, ": the process sees ", gpus,
                    gpus == 1 ? " GPU" : " GPUs, numbered from 0");
      require_start(std::ranges::count(chosen, gpu) == 0, "--device: '", device, "' names GPU ",
                    gpu, " twice: a GPU is for one rank");
      chosen.push_back(gpu);
    }
    begin = end + 1;
  }
  return chosen;
}

}  // namespace

std::vector<engine::Device> parse_devices(const std::string& text, int gpus) {
  if (text == "cpu") return {engine::kCpu};
  const bool is_list = text.starts_with(kList);
  require_start(is_list || text == "cuda", kExpected, text, "'");
  std::string list = is_list ? text.substr(kList.size()) : "0";
  if (list == "all") list = "0-" + std::to_string(std::max(gpus - 1, 0));
  std::vector<engine::Device> devices;
  for (const int gpu : gpus_of(text, list, gpus)) {
    devices.push_back({engine::Device::Type::cuda, gpu});
  }
  return devices;
}

}  // namespace apps
