// The environment decides how many threads OpenMP provides: a run keeps to that and says so.
#include "tests/apps/pretrain_runs.h"

namespace apps {
namespace {

// Sets a variable of the environment while it lives.
class Setting {
 public:
  Setting(const char* name, const char* value) : name_(name) { setenv(name, value, 1); }
  ~Setting() { unsetenv(name_); }

 private:
  const char* name_;
};

TEST_F(Pretrain, EndsAlthoughOpenMpProvidesFewerThreadsThanAskedFor) {
  const Setting limit("OMP_THREAD_LIMIT", "1");
  const CommandResult result = train(dir_.path() / "limit", {}, 1);
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_NE(result.out.find("threads: 1 for computing (OMP_THREAD_LIMIT)"), std::string::npos)
      << result.out;
}

TEST_F(Pretrain, EndsAlthoughOpenMpMayChooseTheNumberOfThreads) {
  const Setting dynamic("OMP_DYNAMIC", "true");
  const CommandResult result = train(dir_.path() / "dynamic", {}, 1);
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_NE(result.out.find("threads: 2 for computing (--threads)"), std::string::npos)
      << result.out;
}

}  // namespace
}  // namespace apps
