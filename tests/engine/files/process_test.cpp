#include "engine/files/process.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

namespace engine {
namespace {

TEST(Process, IsTheSameAfterItsTextHasBeenRead) {
  const ProcessId here = this_process();
  EXPECT_EQ(parse_process(text_of(here)), here);
  const ProcessId dotted{12, 3456, 0xabcdef01, "node7.example.org"};
  EXPECT_EQ(text_of(dotted), "12.3456.abcdef01.node7.example.org");
  EXPECT_EQ(parse_process(text_of(dotted)), dotted);
  for (const char* text :
       {"", "12", "12.34.5", "12.34.5.", "x.34.5.host", "12..5.host", "1.2.g.h"}) {
    EXPECT_EQ(parse_process(text), std::nullopt) << text;
  }
}

TEST(Process, RunsUntilItHasEnded) {
  EXPECT_EQ(is_running(this_process()), true);
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const pid_t child = fork();
  if (child == 0) {
    const std::string text = text_of(this_process());
    _exit(write(ends[1], text.data(), text.size()) < 0);
  }
  char text[200] = {};
  ASSERT_GT(read(ends[0], text, sizeof text - 1), 0);
  siginfo_t ended{};
  ASSERT_EQ(waitid(P_PID, static_cast<id_t>(child), &ended, WEXITED | WNOWAIT), 0);
  const std::optional<ProcessId> process = parse_process(text);
  ASSERT_TRUE(process.has_value());
  EXPECT_EQ(process->pid, child);
  EXPECT_EQ(is_running(*process), false) << "ended, but not yet waited for";
  waitpid(child, nullptr, 0);
  EXPECT_EQ(is_running(*process), false);
  close(ends[0]);
  close(ends[1]);
}

TEST(Process, IsToldFromALaterOneWithTheSameNumber) {
  ProcessId earlier = this_process();
  earlier.started -= 1;
  EXPECT_EQ(is_running(earlier), false);
}

TEST(Process, OfAnotherMachineIsUnknown) {
  ProcessId other = this_process();
  other.system ^= 1;
  EXPECT_EQ(is_running(other), std::nullopt);
}

}  // namespace
}  // namespace engine
