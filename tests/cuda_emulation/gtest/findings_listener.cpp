// Linked into every test program that runs on the emulation: a test in which the emulation finds an
// error fails, whatever the test itself checks.
#include <gtest/gtest.h>

#include "tests/cuda_emulation/control.h"

namespace cuda_emulation {
namespace {

class FindingsListener : public testing::EmptyTestEventListener {
  void OnTestEnd(const testing::TestInfo&) override {
    for (const std::string& finding : take_findings()) ADD_FAILURE() << finding;
  }
};

[[maybe_unused]] const bool listens = [] {
  testing::UnitTest::GetInstance()->listeners().Append(new FindingsListener);
  return true;
}();

}  // namespace
}  // namespace cuda_emulation
