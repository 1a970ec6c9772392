#include "engine/files/folder_lock.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <vector>

#include "engine/error.h"
#include "tests/support/error_of.h"
#include "tests/support/temp_dir.h"

namespace engine {
namespace {

namespace fs = std::filesystem;

class FolderLockTest : public testing::Test {
 protected:
  // The lock of a process that cannot be looked at from here, last refreshed so long ago.
  void leave_lock_of_another_machine(std::chrono::seconds age) const {
    std::ofstream(lock_) << "12.34.5.elsewhere\n";
    fs::last_write_time(lock_, fs::file_time_type::clock::now() - age);
  }
  void leave_lock_of_a_dead_process() const {
    ProcessId dead = this_process();
    dead.started -= 1;
    std::ofstream(lock_) << text_of(dead) << '\n';
  }
  std::string refusal() const {
    return test_support::error_of([&] { FolderLock lock(dir_.path()); });
  }
  size_t files() const {
    return static_cast<size_t>(std::distance(fs::directory_iterator(dir_.path()), {}));
  }

  test_support::TempDir dir_;
  fs::path lock_ = dir_.path() / FolderLock::kName;
};

TEST_F(FolderLockTest, IsHeldByOneAtATime) {
  {
    const FolderLock lock(dir_.path());
    lock.require_held();
    EXPECT_FALSE(lock.taken_from());
    const std::string text = refusal();
    const ProcessId here = this_process();
    for (const std::string& word :
         {"process " + std::to_string(here.pid), "host " + here.host, lock_.string()}) {
      EXPECT_NE(text.find(word), std::string::npos) << word << " in: " << text;
    }
    EXPECT_TRUE(fs::exists(lock_));
  }
  EXPECT_EQ(files(), 0U);
  const FolderLock again(dir_.path());
}

TEST_F(FolderLockTest, IsTakenOverFromADeadProcess) {
  leave_lock_of_a_dead_process();
  const FolderLock lock(dir_.path());
  lock.require_held();
  ASSERT_TRUE(lock.taken_from());
  EXPECT_NE(lock.taken_from()->find("on host " + this_process().host), std::string::npos);
  EXPECT_EQ(files(), 1U);
}

TEST_F(FolderLockTest, OfAnotherMachineCountsWhileItIsRefreshed) {
  leave_lock_of_another_machine(std::chrono::seconds(200));
  EXPECT_NE(refusal().find("process 12 on host elsewhere"), std::string::npos) << refusal();
  leave_lock_of_another_machine(std::chrono::seconds(400));
  EXPECT_EQ(FolderLock(dir_.path()).taken_from(), "process 12 on host elsewhere");
  EXPECT_EQ(files(), 0U);
}

TEST_F(FolderLockTest, WithoutAnOwnerCountsForAWhile) {
  std::ofstream(lock_) << "";  // created, but not yet written
  EXPECT_NE(refusal().find("is in use"), std::string::npos);
  fs::last_write_time(lock_, fs::file_time_type::clock::now() - std::chrono::seconds(400));
  EXPECT_EQ(refusal(), "no error");
}

TEST_F(FolderLockTest, IsLostToWhoeverTookItOver) {
  {
    const FolderLock lock(dir_.path());
    fs::remove(lock_);
    lock.require_held();  // a tidy person is not another run
    EXPECT_TRUE(fs::exists(lock_));
    leave_lock_of_another_machine(std::chrono::seconds(0));
    EXPECT_NE(test_support::error_of([&] { lock.require_held(); }).find("taken over by process 12"),
              std::string::npos);
  }
  EXPECT_TRUE(fs::exists(lock_)) << "it belongs to the other one";
}

TEST_F(FolderLockTest, NamesAFolderThatCannotBeWritten) {
  const std::string text = test_support::error_of([&] { FolderLock lock(dir_.path() / "none"); });
  EXPECT_NE(text.find("none"), std::string::npos) << text;
}

// Every process holds the lock for as long as the others try.
TEST_F(FolderLockTest, OfADeadProcessGoesToOneOfMany) {
  for (int round = 0; round < 10; ++round) {
    leave_lock_of_a_dead_process();
    std::vector<pid_t> children;
    for (int i = 0; i < 8; ++i) {
      const pid_t child = fork();
      if (child == 0) {
        int status = 0;
        try {
          const FolderLock lock(dir_.path());
          usleep(100'000);
          lock.require_held();
          status = 1;
        } catch (const std::exception&) {
        }
        _exit(status);
      }
      children.push_back(child);
    }
    int holders = 0;
    for (const pid_t child : children) {
      int status = 0;
      waitpid(child, &status, 0);
      holders += WEXITSTATUS(status);
    }
    EXPECT_EQ(holders, 1);
    EXPECT_EQ(files(), 0U);
  }
}

}  // namespace
}  // namespace engine
