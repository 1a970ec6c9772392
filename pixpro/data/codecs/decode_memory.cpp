#include "pixpro/data/codecs/decode_memory.h"

#include <algorithm>
#include <memory>
#include <new>

#include "engine/error.h"

namespace pixpro {
namespace {

thread_local DecodeMemory::Share* own_share = nullptr;

}  // namespace

DecodeMemory::Share::Share(DecodeMemory& memory) : memory_(memory) {
  engine::require(own_share == nullptr, "decode memory: this thread already has a share");
  own_share = this;
}

DecodeMemory::Share::~Share() {
  own_share = nullptr;
  memory_.give_back(*this);
}

bool DecodeMemory::Share::is_affordable() const {
  constexpr int64_t kLeast = int64_t{1} << 20;  // for an image whose size is not known yet
  const std::unique_ptr<uint8_t[]> memory(new (std::nothrow) uint8_t[std::max(bytes_, kLeast)]);
  return memory != nullptr;
}

void DecodeMemory::take(int64_t bytes) {
  if (own_share == nullptr || own_share->bytes_ == bytes) return;
  DecodeMemory& memory = own_share->memory_;
  memory.give_back(*own_share);  // a thread that waits holds nothing
  std::unique_lock lock(memory.mutex_);
  const uint64_t ticket = ++memory.last_ticket_;
  memory.freed_.wait(lock, [&] {
    return memory.served_ + 1 == ticket &&
           (memory.used_ == 0 || memory.used_ + bytes <= memory.budget_);
  });
  ++memory.served_;
  memory.used_ += bytes;
  own_share->bytes_ = bytes;
  memory.freed_.notify_all();  // the next one may fit too
}

void DecodeMemory::give_back(Share& share) {
  if (share.bytes_ == 0) return;
  const std::lock_guard lock(mutex_);
  used_ -= share.bytes_;
  share.bytes_ = 0;
  freed_.notify_all();
}

}  // namespace pixpro
