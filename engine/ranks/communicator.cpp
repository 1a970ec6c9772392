#include "engine/ranks/communicator.h"

#include <cstring>

namespace engine {

Communicator::Communicator(int rank, int size) : rank_(rank), size_(size) {
  require(rank >= 0 && rank < size, "communicator: expected a rank from 0 to ", size - 1,
          ", found ", rank);
}

Communicator& Communicator::lane(int index) {
  require(index >= 0 && static_cast<size_t>(index) <= others_.size(),
          "communicator: expected a lane from 0 to ", others_.size(), ", found ", index);
  return index == 0 ? *this : *others_[static_cast<size_t>(index - 1)];
}

void Communicator::require_gathers(const Tensor& part, const Tensor& whole) const {
  require(whole.elements() == size_ * part.elements() && whole.dtype() == part.dtype(),
          "all_gather: ", size_, " times ", part, " does not fill ", whole);
}

ShareBytes share_through(Communicator& ranks) {
  return [&ranks](std::span<std::byte> bytes) {
    Tensor message({static_cast<int64_t>(bytes.size())}, DType::u8);
    std::memcpy(message.raw(), bytes.data(), bytes.size());
    ranks.broadcast(message, 0);
    std::memcpy(bytes.data(), message.raw(), bytes.size());
  };
}

}  // namespace engine
