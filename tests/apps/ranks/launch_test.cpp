// Launchers are recognised by the variables that they set.
#include "apps/ranks/launch.h"

#include <gtest/gtest.h>

#include "apps/ranks/bad_start.h"
#include "tests/support/error_of.h"

namespace apps {
namespace {

using test_support::error_of;

const Environment kOpenMpi = {{"OMPI_COMM_WORLD_SIZE", "8"},
                              {"OMPI_COMM_WORLD_RANK", "5"},
                              {"OMPI_COMM_WORLD_LOCAL_SIZE", "4"},
                              {"OMPI_COMM_WORLD_LOCAL_RANK", "1"},
                              {"PMIX_RANK", "5"}};
const Environment kMpich = {
    {"PMI_SIZE", "8"}, {"PMI_RANK", "5"}, {"MPI_LOCALNRANKS", "4"}, {"MPI_LOCALRANKID", "1"}};
const Environment kTorchrun = {{"WORLD_SIZE", "8"},       {"RANK", "5"},
                               {"LOCAL_WORLD_SIZE", "4"}, {"LOCAL_RANK", "1"},
                               {"MASTER_ADDR", "node7"},  {"MASTER_PORT", "29500"}};
const Environment kSrun = {
    {"SLURM_STEP_NUM_TASKS", "8"}, {"SLURM_PROCID", "5"},
    {"SLURM_LOCALID", "1"},        {"SLURM_JOB_ID", "1234"},
    {"SLURM_STEP_ID", "2"},        {"SLURM_STEP_NODELIST", "node[07-08,11],a"},
    {"SLURM_JOB_NODELIST", "x"}};

// The environment with some variables added or replaced.
Environment with(Environment environment, const Environment& more) {
  for (const auto& [name, value] : more) environment[name] = value;
  return environment;
}
Environment without(Environment environment, const char* name) {
  environment.erase(name);
  return environment;
}

void expect_rank_5_of_8(const Launch& launch, Meeting meeting, const std::string& launcher) {
  EXPECT_EQ(launch.meeting, meeting);
  EXPECT_EQ(launch.launcher, launcher);
  EXPECT_EQ(launch.rank, 5);
  EXPECT_EQ(launch.count, 8);
  EXPECT_EQ(launch.local_rank, 1);
}

void expect_single(const Environment& environment) {
  for (const bool has_mpi : {false, true}) {
    const Launch launch = recognise(environment, has_mpi);
    EXPECT_EQ(launch.meeting, Meeting::none);
    EXPECT_EQ(launch.count, 1);
    EXPECT_EQ(launch.rank, 0);
  }
}

void expect_refused(const Environment& environment, const std::vector<std::string>& words) {
  for (const bool has_mpi : {false, true}) {
    EXPECT_THROW(recognise(environment, has_mpi), BadStart);
    const std::string error = error_of([&] { recognise(environment, has_mpi); });
    for (const std::string& word : words) {
      EXPECT_NE(error.find(word), std::string::npos) << word << " in " << error;
    }
    EXPECT_EQ(error.find('\n'), std::string::npos) << error;
  }
}

TEST(Launch, KnowsTheLaunchers) {
  for (const bool has_mpi : {false, true}) {
    expect_rank_5_of_8(recognise(kOpenMpi, has_mpi), Meeting::mpi, "mpirun");
    expect_rank_5_of_8(recognise(kMpich, has_mpi), Meeting::mpi, "mpirun");
    expect_rank_5_of_8(recognise(kTorchrun, has_mpi), Meeting::nccl, "torchrun");
    expect_rank_5_of_8(recognise(kSrun, has_mpi), Meeting::nccl, "srun");
  }
  EXPECT_EQ(recognise(kOpenMpi, true).local_count, 4);
  EXPECT_EQ(recognise(kMpich, true).local_count, 4);
  EXPECT_EQ(recognise(kTorchrun, true).local_count, 4);
  EXPECT_EQ(recognise(kSrun, true).local_count, std::nullopt);
}

TEST(Launch, OneRankIsARunOfItsOwn) {
  expect_single({});
  expect_single({{"OMPI_COMM_WORLD_SIZE", "1"}, {"OMPI_COMM_WORLD_RANK", "0"}});
  expect_single({{"PMI_SIZE", "1"}, {"PMI_RANK", "0"}});
  expect_single({{"WORLD_SIZE", "1"}, {"RANK", "0"}, {"LOCAL_RANK", "0"}});
  expect_single({{"SLURM_STEP_NUM_TASKS", "1"}, {"SLURM_PROCID", "0"}, {"SLURM_NTASKS", "8"}});
  // Names that mean something else to others.
  expect_single({{"RANK", "captain"}, {"LOCAL_RANK", "7"}, {"MASTER_PORT", "x"}});
}

// A batch script has the variables of its job, but srun has not started it.
TEST(Launch, ABatchScriptOfSlurmIsARunOfItsOwn) {
  expect_single(with(without(kSrun, "SLURM_STEP_NUM_TASKS"), {{"SLURM_NTASKS", "8"}}));
}

// MPI's process managers in Slurm: MPI if the program has it, otherwise GPUs meet through NCCL.
TEST(Launch, SrunStartsRanksOfMpi) {
  for (const Environment& manager :
       {Environment{{"PMIX_RANK", "5"}}, Environment{{"PMI_SIZE", "8"}, {"PMI_RANK", "5"}}}) {
    expect_rank_5_of_8(recognise(with(kSrun, manager), true), Meeting::mpi, "srun");
    expect_rank_5_of_8(recognise(with(kSrun, manager), false), Meeting::nccl, "srun");
  }
}

// In an allocation of Slurm, mpirun and torchrun are started, or start their helpers, by srun.
TEST(Launch, OthersOutrankSrun) {
  const Environment helper = {
      {"SLURM_STEP_NUM_TASKS", "2"}, {"SLURM_PROCID", "1"}, {"SLURM_LOCALID", "0"}};
  const Environment srun = with(kSrun, helper);
  expect_rank_5_of_8(recognise(with(srun, kOpenMpi), true), Meeting::mpi, "mpirun");
  expect_rank_5_of_8(recognise(with(srun, kMpich), true), Meeting::mpi, "mpirun");
  expect_rank_5_of_8(recognise(with(srun, kTorchrun), true), Meeting::nccl, "torchrun");
  for (const Environment& manager :
       {Environment{{"PMIX_RANK", "1"}}, Environment{{"PMI_SIZE", "2"}, {"PMI_RANK", "1"}}}) {
    const Launch launch = recognise(with(with(srun, manager), kTorchrun), true);
    expect_rank_5_of_8(launch, Meeting::nccl, "torchrun");
  }
  expect_single(with(srun, {{"OMPI_COMM_WORLD_SIZE", "1"}, {"OMPI_COMM_WORLD_RANK", "0"}}));
}

// A script that tells torchrun's variables to the ranks of mpirun.
TEST(Launch, TwoLaunchersMayAgree) {
  const Environment both = with(kOpenMpi, kTorchrun);
  expect_rank_5_of_8(recognise(both, true), Meeting::mpi, "mpirun");
  expect_rank_5_of_8(recognise(both, false), Meeting::nccl, "torchrun");
}

TEST(Launch, RefusesTwoLaunchersThatDiffer) {
  expect_refused(with(with(kOpenMpi, kTorchrun), {{"WORLD_SIZE", "16"}}),
                 {"mpirun", "rank 5 of 8", "torchrun", "rank 5 of 16", "one of the two"});
  expect_refused(with(with(kMpich, kTorchrun), {{"RANK", "4"}}), {"rank 4 of 8"});
  expect_refused(with(with(kOpenMpi, kMpich), {{"PMI_SIZE", "16"}}),
                 {"mpirun has made this process rank 5 of 8", "rank 5 of 16"});
}

TEST(Launch, RefusesWhatIsNotANumber) {
  for (const char* value : {"", "eight", "-1", "8x", " 8", "1e1", "99999999999"}) {
    const std::string found = std::string("found '") + value + "'";
    expect_refused(with(kOpenMpi, {{"OMPI_COMM_WORLD_SIZE", value}}),
                   {"OMPI_COMM_WORLD_SIZE: expected a whole number", found});
    expect_refused(with(kMpich, {{"PMI_RANK", value}}), {"PMI_RANK", found});
    expect_refused(with(kTorchrun, {{"LOCAL_RANK", value}}), {"LOCAL_RANK", found});
    expect_refused(with(kSrun, {{"SLURM_LOCALID", value}}), {"SLURM_LOCALID", found});
  }
  for (const char* port : {"0", "65536"}) {
    expect_refused(with(kTorchrun, {{"MASTER_PORT", port}}), {"MASTER_PORT", "1 to 65535", port});
  }
}

TEST(Launch, RefusesNumbersThatDoNotFit) {
  expect_refused(with(kOpenMpi, {{"OMPI_COMM_WORLD_RANK", "8"}}),
                 {"OMPI_COMM_WORLD_RANK is 8", "OMPI_COMM_WORLD_SIZE, which is 8"});
  expect_refused(with(kTorchrun, {{"LOCAL_RANK", "4"}}), {"LOCAL_RANK is 4", "LOCAL_WORLD_SIZE"});
  expect_refused(with(kSrun, {{"SLURM_LOCALID", "8"}}),
                 {"SLURM_LOCALID is 8", "SLURM_STEP_NUM_TASKS"});
  expect_refused(with(kMpich, {{"PMI_SIZE", "0"}}), {"PMI_SIZE", "at least 1"});
}

TEST(Launch, RefusesWhatIsMissing) {
  expect_refused(without(kOpenMpi, "OMPI_COMM_WORLD_RANK"), {"OMPI_COMM_WORLD_RANK is missing"});
  expect_refused(without(kTorchrun, "RANK"), {"RANK is missing", "torchrun"});
  expect_refused(without(kTorchrun, "MASTER_ADDR"), {"MASTER_ADDR is missing"});
  expect_refused(without(kTorchrun, "MASTER_PORT"), {"MASTER_PORT"});
  expect_refused({{"PMIX_RANK", "3"}}, {"PMIX_RANK", "how many ranks"});
}

std::string address_of(const Environment& environment) {
  return recognise(environment, false).address;
}

TEST(Launch, TorchrunsRanksMeetAtItsAddress) {
  EXPECT_EQ(address_of(kTorchrun), "node7:29500");
  EXPECT_EQ(address_of(with(kTorchrun, {{"MASTER_ADDR", "fe80::1"}})), "[fe80::1]:29500");
  // The agent of torchrun listens on the port itself.
  const Environment agent = with(kTorchrun, {{"TORCHELASTIC_USE_AGENT_STORE", "True"}});
  EXPECT_EQ(address_of(agent), "node7:29501");
  EXPECT_EQ(address_of(with(agent, {{"MASTER_PORT", "65535"}})), "node7:65534");
}

// srun has started torchrun on each machine, and that one rank: both say the same numbers.
TEST(Launch, TorchrunsRanksAreItsOwnAlsoUnderSrun) {
  const Environment both = with(with(kSrun, kTorchrun), {{"TORCHELASTIC_RUN_ID", "none"}});
  const Launch launch = recognise(both, false);
  EXPECT_EQ(launch.launcher, "torchrun");
  EXPECT_EQ(launch.address, "node7:29500");
}

TEST(Launch, SrunsRanksMeetOnItsFirstMachine) {
  EXPECT_EQ(address_of(kSrun), "node07:11236");
  const auto host = [](const char* list) {
    const std::string address = address_of(with(kSrun, {{"SLURM_STEP_NODELIST", list}}));
    return address.substr(0, address.find(':'));
  };
  EXPECT_EQ(host("gpu3,node[1-2]"), "gpu3");
  EXPECT_EQ(host("gpu-a,gpu-b"), "gpu-a");
  EXPECT_EQ(host("rack[2,5-7]n[3-4]-ib,x"), "rack2n3-ib");
  EXPECT_EQ(address_of(without(kSrun, "SLURM_STEP_NODELIST")), "x:11236");
  EXPECT_EQ(address_of(with(kSrun, {{"MASTER_ADDR", "head"}, {"MASTER_PORT", "4000"}})),
            "head:4000");
  expect_refused(without(without(kSrun, "SLURM_STEP_NODELIST"), "SLURM_JOB_NODELIST"),
                 {"SLURM_STEP_NODELIST", "MASTER_ADDR"});
}

}  // namespace
}  // namespace apps
