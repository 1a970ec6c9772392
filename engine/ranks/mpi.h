// MPI between processes that mpirun or srun has started, for tensors on the CPU.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "engine/ranks/communicator.h"

namespace engine {

// Whether this build can call make_mpi_communicator(): MPI is optional.
bool has_mpi();

// Is told which rank is lost, in one line, on another thread and just before the job ends.
using ReportLoss = std::function<void(const std::string& line)>;

// Blocks until all ranks of the job have called it. MPI begins here and ends with finish(), so a
// process calls this once. All calls of MPI are made on one thread of the communicator, which also
// moves the collectives on while the ranks compute. abort() ends the whole job, this process too,
// through MPI_Abort; so does the destructor if finish() has not been called. An error of MPI is
// thrown from the lane's next call, and names this rank and its host.
//
// The launcher notices a process that has died and ends the others. A rank that is silent for
// `patience`, because its host has vanished or its process is suspended, ends the job too, whatever
// the other ranks wait for. A rank that only computes or loads images for long is not silent.
//
// Tensors are f32, f64, bf16, i64 or u8 and have less than 2^31 elements. Sums of integers are
// exact. Sums of floats of at most 64 KiB are taken in the order of ranks, so their bits depend on
// nothing but the ranks' tensors. Those of larger tensors are MPI_Iallreduce's: the standard
// recommends but does not demand that the same call gives the same bits in every run and on every
// rank. The algorithms of Open MPI and MPICH do. Of bf16 they round every sum of two tensors.
std::unique_ptr<Communicator> make_mpi_communicator(
    int lanes, const ReportLoss& report_loss = {},
    std::chrono::seconds patience = std::chrono::seconds(20));

}  // namespace engine
