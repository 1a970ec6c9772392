// In place of the folder cuda in a build without CUDA.
#include "engine/ranks/communicator.h"
#include "engine/ranks/devices.h"

namespace engine {

int count_cuda_devices() { return 0; }

std::unique_ptr<Communicator> make_nccl_communicator(Device, int, int, int, const ShareBytes&) {
  fail("NCCL: this program was built without CUDA; build it with the preset cuda");
}

}  // namespace engine
