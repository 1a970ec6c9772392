// In place of mpi.cpp in a build without MPI.
#include "engine/ranks/mpi.h"

namespace engine {

bool has_mpi() { return false; }

std::unique_ptr<Communicator> make_mpi_communicator(int, const ReportLoss&, std::chrono::seconds) {
  fail("mpi: this program was built without MPI; install Open MPI or MPICH (Debian packages ",
       "libopenmpi-dev, libmpich-dev) and build it again");
}

}  // namespace engine
