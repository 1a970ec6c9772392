#include "collective.h"

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <algorithm>
#include <cstring>

#include "emulator.h"

namespace cuda_emulation {
namespace {

bool wait_for_all(Rendezvous& rendezvous) {
  const LockGivenUp away(emulator_lock());
  return rendezvous.wait_for_all();
}

template <class T, class Sum>
void sum_slots(const Rendezvous& rendezvous, size_t count, void* receive) {
  auto* result = static_cast<T*>(receive);
  for (size_t i = 0; i < count; ++i) {
    Sum sum{};
    for (int rank = 0; rank < rendezvous.ranks(); ++rank) {
      sum += static_cast<Sum>(reinterpret_cast<const T*>(rendezvous.slot(rank))[i]);
    }
    result[i] = static_cast<T>(sum);
  }
}

void sum_slots(const Rendezvous& rendezvous, ncclDataType_t type, size_t count, void* receive) {
  switch (type) {
    case ncclFloat64:
      return sum_slots<double, double>(rendezvous, count, receive);
    case ncclFloat16:
      return sum_slots<__half, float>(rendezvous, count, receive);
    case ncclBfloat16:
      return sum_slots<__nv_bfloat16, float>(rendezvous, count, receive);
    case ncclInt64:
      return sum_slots<int64_t, int64_t>(rendezvous, count, receive);
    case ncclUint8:
      return sum_slots<uint8_t, uint8_t>(rendezvous, count, receive);
    default:
      return sum_slots<float, float>(rendezvous, count, receive);
  }
}

}  // namespace

size_t bytes_of(ncclDataType_t type) {
  switch (type) {
    case ncclFloat64:
    case ncclInt64:
      return 8;
    case ncclFloat32:
      return 4;
    case ncclFloat16:
    case ncclBfloat16:
      return 2;
    case ncclUint8:
      return 1;
    default:
      return 0;
  }
}

bool exchange_parts(Rendezvous& rendezvous, const Collective& collective, const void* send,
                    void* receive) {
  const auto type = static_cast<ncclDataType_t>(collective.type);
  const size_t element = bytes_of(type), total = static_cast<size_t>(collective.elements) * element;
  const auto* from = static_cast<const std::byte*>(send);
  auto* to = static_cast<std::byte*>(receive);
  for (size_t begin = 0; begin < total; begin += Rendezvous::kSlotBytes) {
    const size_t bytes = std::min(Rendezvous::kSlotBytes, total - begin);
    std::memcpy(rendezvous.slot(rendezvous.rank()), from + begin, bytes);
    if (!wait_for_all(rendezvous)) return false;
    switch (collective.kind) {
      case Collective::Kind::all_reduce:
        sum_slots(rendezvous, type, bytes / element, to + begin);
        break;
      case Collective::Kind::broadcast:
        std::memcpy(to + begin, rendezvous.slot(collective.root), bytes);
        break;
      case Collective::Kind::all_gather:
        for (int rank = 0; rank < rendezvous.ranks(); ++rank) {
          std::memcpy(to + static_cast<size_t>(rank) * total + begin, rendezvous.slot(rank), bytes);
        }
        break;
      case Collective::Kind::join:
        break;
    }
    if (!wait_for_all(rendezvous)) return false;
  }
  return true;
}

}  // namespace cuda_emulation
