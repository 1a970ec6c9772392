// --device: lists of GPUs, and what is refused.
#include "apps/ranks/devices.h"

#include <gtest/gtest.h>

#include "apps/ranks/bad_start.h"
#include "tests/support/error_of.h"

namespace apps {
namespace {

using test_support::error_of;

void expect_refused(const std::string& text, const std::string& words) {
  EXPECT_THROW(parse_devices(text, 8), BadStart) << text;
  const std::string error = error_of([&] { parse_devices(text, 8); });
  EXPECT_NE(error.find(words), std::string::npos) << error;
  EXPECT_EQ(error.find('\n'), std::string::npos) << error;
}

TEST(Devices, ReadsListsOfGpus) {
  EXPECT_EQ(parse_devices("cpu", 0), std::vector{engine::kCpu});
  const auto gpus = [](const std::string& text) {
    std::vector<int> indices;
    for (const engine::Device device : parse_devices(text, 8)) {
      EXPECT_EQ(device.type, engine::Device::Type::cuda) << text;
      indices.push_back(device.index);
    }
    return indices;
  };
  EXPECT_EQ(gpus("cuda"), std::vector{0});
  EXPECT_EQ(gpus("cuda:3"), std::vector{3});
  EXPECT_EQ(gpus("cuda:2-5"), (std::vector{2, 3, 4, 5}));
  EXPECT_EQ(gpus("cuda:7-7"), std::vector{7});
  EXPECT_EQ(gpus("cuda:6,0,2-3"), (std::vector{6, 0, 2, 3}));
  EXPECT_EQ(gpus("cuda:all"), (std::vector{0, 1, 2, 3, 4, 5, 6, 7}));
}

TEST(Devices, RefusesWhatIsNoDevice) {
  for (const char* text : {"", "tpu", "CUDA", "cpu:0", "cuda0", "cpu,cuda"}) {
    expect_refused(text, "expected cpu, cuda, cuda:N, cuda:0-7, cuda:0,2,3 or cuda:all");
  }
  for (const char* text :
       {"cuda:", "cuda:-1", "cuda:1-", "cuda:0,", "cuda:,1", "cuda:0,,1", "cuda:0-1-2", "cuda:one",
        "cuda:0 1", "cuda:0,all", "cuda:1.5", "cuda:99999999999"}) {
    expect_refused(text, std::string("found '") + text + "'");
  }
}

TEST(Devices, RefusesGpusThatCannotBeUsed) {
  expect_refused("cuda:8", "there is no cuda:8: the process sees 8 GPUs");
  expect_refused("cuda:0-8", "there is no cuda:8");
  expect_refused("cuda:0,2000000000", "there is no cuda:2000000000");
  expect_refused("cuda:0-2000000000", "there is no cuda:8");
  expect_refused("cuda:1,3,1", "names GPU 1 twice");
  expect_refused("cuda:0-3,2", "names GPU 2 twice");
  expect_refused("cuda:5-2", "the range 5-2 of 'cuda:5-2' is empty");
  for (const char* text : {"cuda", "cuda:all"}) {
    EXPECT_NE(error_of([&] { parse_devices(text, 0); }).find("there is no cuda:0"),
              std::string::npos);
  }
}

}  // namespace
}  // namespace apps
