// Tests of ranks that are processes: tests/mpi.sh starts this program by mpirun. Every rank runs
// all tests, in the same order, on the one communicator that a process can have.
#include <gtest/gtest.h>

#include <csignal>
#include <iostream>
#include <string>

#include "engine/tensor_ops.h"
#include "tests/mpi/ranks.h"

namespace {

engine::Communicator* the_ranks = nullptr;

// What a rank does that does not come to a good end. The others wait for it in a sum.
void go_wrong(const std::string& how) {
  engine::Communicator& ranks = *the_ranks;
  ranks.barrier();
  if (ranks.rank() == ranks.size() - 1) {
    if (how == "killed") std::raise(SIGKILL);
    if (how == "suspended") std::raise(SIGSTOP);
    if (how == "aborts") ranks.abort();
    if (how == "throws") engine::fail("the disk is full");
  }
  ranks.lane(1).all_reduce(engine::zeros({1000}));
  ranks.all_reduce(engine::zeros({1000000}));
}

}  // namespace

engine::Communicator& mpi_ranks() { return *the_ranks; }

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  std::unique_ptr<engine::Communicator> communicator;
  try {
    communicator = engine::make_mpi_communicator(
        kMpiLanes, [](const std::string& line) { std::cerr << line << std::endl; }, kMpiPatience);
    the_ranks = communicator.get();
    if (argc == 2) go_wrong(argv[1]);
    const int status = RUN_ALL_TESTS();
    communicator->finish();
    return status;
  } catch (const engine::Error& error) {
    std::cerr << "error: " << error.what() << std::endl;
    if (communicator) communicator->abort();
    return 1;
  }
}
