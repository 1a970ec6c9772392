// What ends the ranks of a run before their time: the whole job ends soon, and the same command
// with --auto-resume ends with the bits of the undisturbed run.
#include <sys/resource.h>

#include <cstring>
#include <iostream>
#include <random>

#include "tests/apps/ranks/pretrain_on_ranks.h"

namespace apps {
namespace {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

constexpr double kMostSeconds = 30.0;  // from the fault to the end of the job

class Faults : public OnRanks {
 protected:
  // Trains, and calls act(the processes of the ranks) once they run. Sets seconds_ to the time from
  // its end to that of the job, in which no rank may be left.
  CommandResult disturb(const std::string& name, int epochs, const std::vector<std::string>& more,
                        const std::function<void(const std::map<int, pid_t>&)>& act) {
    std::map<int, pid_t> ranks;
    Clock::time_point begin{};
    const CommandResult result = train_on_two(run(name), epochs, more, [&](pid_t mpirun) {
      wait_until([&] { return (ranks = ranks_of(mpirun)).size() == 2; });
      ASSERT_EQ(ranks.size(), 2U);
      act(ranks);
      begin = Clock::now();
    });
    seconds_ = Seconds(Clock::now() - begin).count();
    EXPECT_LT(seconds_, kMostSeconds) << result.err;
    for (const auto& [rank, process] : ranks) EXPECT_EQ(rank_of(process), -1) << rank;
    return result;
  }

  bool is_saving(const std::string& name) const {
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(run(name), none)) {
      if (entry.path().filename().string().starts_with(".current.safetensors.")) return true;
    }
    return false;
  }

  double seconds_ = 0.0;
};

int kills() {
  const char* count = std::getenv("PIXPRO_KILLS");
  return count == nullptr ? 4 : std::atoi(count);
}

// Each second time the kill hits a checkpoint that is being written.
TEST_F(Faults, AKillAtAnyMomentCostsNoBits) {
  constexpr int kEpochs = 3;
  const std::vector<std::string> save = {"--save-freq", "1", "--auto-resume"};
  const Clock::time_point begin = Clock::now();
  ASSERT_EQ(train_on_two(run("whole"), kEpochs, save).status, 0);
  const double length = Seconds(Clock::now() - begin).count();
  std::mt19937 random(std::random_device{}());
  const auto draw = [&](double most) { return std::uniform_real_distribution(0.0, most)(random); };
  for (int i = 0; i < kills(); ++i) {
    const std::string name = "killed" + std::to_string(i);
    const int64_t steps = 2 * std::uniform_int_distribution(1, kEpochs)(random);
    const int rank = std::uniform_int_distribution(0, 1)(random);
    bool saving = false;
    const CommandResult killed = disturb(name, kEpochs, save, [&](const auto& ranks) {
      if (i % 2 == 0) {
        wait_until([&] { return steps_of(name) >= steps && is_saving(name); });
      }
      std::this_thread::sleep_for(Seconds(draw(i % 2 == 0 ? 0.1 : length)));
      saving = is_saving(name);
      kill(ranks.at(rank), SIGKILL);
    });
    std::cout << "killed rank " << rank << " after step " << steps_of(name)
              << (saving ? ", while it saved" : "") << ": the job ended " << seconds_
              << " s later with status " << killed.status << std::endl;
    const CommandResult resumed = train_on_two(run(name), kEpochs, save);
    ASSERT_EQ(resumed.status, 0) << resumed.err;
    ASSERT_TRUE(weights(name) == weights("whole")) << resumed.out;
    EXPECT_FALSE(is_saving(name));  // what the kill has left is removed
    fs::remove_all(run(name));
  }
}

// By Open MPI's mpirun; MPICH's names the process and its host.
TEST_F(Faults, AKilledRankIsNamed) {
  pid_t process = 0;
  const CommandResult killed = disturb("run", 100, {}, [&](const auto& ranks) {
    wait_until([&] { return steps_of("run") > 0; });
    process = ranks.at(1);
    kill(process, SIGKILL);
  });
  EXPECT_NE(killed.status, 0);
  const bool is_named =
      killed.err.find("rank 1 ") != std::string::npos ||
      (killed.out + killed.err).find("PID " + std::to_string(process)) != std::string::npos;
  EXPECT_TRUE(is_named) << killed.out << killed.err;
}

// Rank 1 cannot open its images any more; rank 0 cannot write.
TEST_F(Faults, ARankThatThrowsIsNamed) {
  struct Case {
    int rank;
    __rlimit_resource limit;
    const char* words;
  };
  for (const Case& c :
       {Case{1, RLIMIT_NOFILE, "Too many open files"}, Case{0, RLIMIT_FSIZE, "File too large"}}) {
    const std::string name = "rank" + std::to_string(c.rank);
    const CommandResult result =
        disturb(name, 100, {"--cache-mode", "no", "--io-patience", "1"}, [&](const auto& ranks) {
          wait_until([&] { return steps_of(name) > 0; });
          const rlimit none{0, 0};
          ASSERT_EQ(prlimit(ranks.at(c.rank), c.limit, &none, nullptr), 0);
        });
    EXPECT_EQ(result.status, 1) << result.err;
    EXPECT_NE(result.err.find("rank " + std::to_string(c.rank) + ": "), std::string::npos)
        << result.err;
    EXPECT_NE(result.err.find(c.words), std::string::npos) << result.err;
  }
}

// A batch system wants the machine back and sends mpirun SIGTERM. MPICH passes it on at once, Open
// MPI 4 after the time that is set here, and it kills after that time again. Until then the job is
// held, so that it cannot end by itself. Open MPI 5 kills before anything can be saved.
TEST_F(Faults, TerminationSavesAndExitsOnEveryRank) {
  constexpr int kEpochs = 8;
  const bool is_open_mpi_5 =
      test_support::run_command(PIXPRO_MPIRUN, {"--version"}).out.find("(Open MPI) 5.") !=
      std::string::npos;
  if (is_open_mpi_5) GTEST_SKIP() << "this mpirun kills its ranks on SIGTERM";
  ASSERT_EQ(train_on_two(run("whole"), kEpochs).status, 0);
  setenv("OMPI_MCA_odls_base_sigkill_timeout", "5", 1);
  const CommandResult ended = train_on_two(run("run"), kEpochs, {}, [&](pid_t mpirun) {
    wait_until([&] { return steps_of("run") > 0; });
    const pid_t rank = ranks_of(mpirun).at(1);
    kill(mpirun, SIGTERM);
    const Clock::time_point begin = Clock::now();
    // Again and again, because Open MPI sends SIGCONT first.
    wait_until([&] {
      kill(rank, SIGSTOP);
      return Clock::now() - begin > std::chrono::milliseconds(5500);
    });
    kill(rank, SIGCONT);
  });
  unsetenv("OMPI_MCA_odls_base_sigkill_timeout");
  EXPECT_NE(ended.status, 0);
  const int64_t steps = steps_of("run");
  const CommandResult resumed = train_on_two(run("run"), kEpochs, {"--auto-resume"});
  ASSERT_EQ(resumed.status, 0) << resumed.err;
  EXPECT_NE(resumed.out.find("going on after step " + std::to_string(steps) + " of 16"),
            std::string::npos)
      << resumed.out;
  EXPECT_TRUE(weights("run") == weights("whole"));
}

}  // namespace
}  // namespace apps
