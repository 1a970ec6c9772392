// Bounds the memory of all images that threads decode at the same time.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace pixpro {

class DecodeMemory {
 public:
  explicit DecodeMemory(int64_t bytes) : budget_(bytes) {}

  // While it exists, an image that this thread decodes counts, from the moment its header is known:
  // before memory is taken for the pixels, the thread waits until the image fits. An image larger
  // than the budget waits until it is alone. Images come in the order in which they ask, so that a
  // large one is not passed by small ones for ever. A thread has at most one Share.
  class Share {
   public:
    explicit Share(DecodeMemory& memory);
    ~Share();
    Share(const Share&) = delete;
    Share& operator=(const Share&) = delete;

    // Whether as much memory as the image needs can be had. A library that finds too little calls
    // that an error of its own, which looks like damage.
    bool is_affordable() const;

   private:
    friend class DecodeMemory;
    DecodeMemory& memory_;
    int64_t bytes_ = 0;
  };

  // For decoders: takes this much for the calling thread's Share in place of what it had. Without
  // a Share it does nothing.
  static void take(int64_t bytes);

 private:
  void give_back(Share& share);

  const int64_t budget_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable freed_;
  int64_t used_ = 0;
  uint64_t last_ticket_ = 0, served_ = 0;
};

}  // namespace pixpro
