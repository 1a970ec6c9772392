#include "tests/cuda_emulation/nccl/rendezvous.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <mutex>
#include <system_error>

namespace cuda_emulation {

// New shared memory is all zeros.
struct Rendezvous::Shared {
  pthread_mutex_t mutex;
  pthread_cond_t condition;
  int ready;    // mutex and condition are initialised
  int came;     // ranks that have opened it
  int arrived;  // ranks at the current meeting
  int64_t meeting;
  int given_up;  // a rank has timed out or left
  int aborted;
  int64_t requested;
  Collective announced[kMostRanks];
  alignas(64) std::byte slots[kMostRanks][kSlotBytes];
};

namespace {

// Lets std::lock_guard hold a pthread mutex.
struct Mutex {
  pthread_mutex_t* mutex;
  void lock() { pthread_mutex_lock(mutex); }
  void unlock() { pthread_mutex_unlock(mutex); }
};

constexpr std::chrono::milliseconds kSlice{10};

timespec one_slice_from_now() {
  timespec time;
  clock_gettime(CLOCK_REALTIME, &time);
  time.tv_nsec += std::chrono::nanoseconds(kSlice).count();
  time.tv_sec += time.tv_nsec / 1000000000;
  time.tv_nsec %= 1000000000;
  return time;
}

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

void* map_shared(int file, size_t bytes) {
  if (ftruncate(file, static_cast<off_t>(bytes)) != 0) fail("ftruncate");
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  close(file);
  if (memory == MAP_FAILED) fail("mmap");
  return memory;
}

void make_shareable(pthread_mutex_t* mutex, pthread_cond_t* condition) {
  pthread_mutexattr_t mutex_attributes;
  pthread_mutexattr_init(&mutex_attributes);
  pthread_mutexattr_setpshared(&mutex_attributes, PTHREAD_PROCESS_SHARED);
  pthread_mutex_init(mutex, &mutex_attributes);
  pthread_condattr_t condition_attributes;
  pthread_condattr_init(&condition_attributes);
  pthread_condattr_setpshared(&condition_attributes, PTHREAD_PROCESS_SHARED);
  pthread_cond_init(condition, &condition_attributes);
}

}  // namespace

std::chrono::milliseconds& patience() {
  static std::chrono::milliseconds patience = [] {
    const char* text = std::getenv("CUDA_EMULATION_PATIENCE_MS");
    return std::chrono::milliseconds(text == nullptr ? 60000 : std::atoi(text));
  }();
  return patience;
}

std::string to_string(const Collective& c) {
  constexpr const char* kNames[] = {"ncclCommInitRank", "ncclAllReduce", "ncclBroadcast",
                                    "ncclAllGather"};
  std::string text = kNames[static_cast<int>(c.kind)];
  if (c.kind == Collective::Kind::join) return text;
  text += " number " + std::to_string(c.number) + " of " + std::to_string(c.elements) +
          " elements of type " + std::to_string(c.type);
  if (c.kind == Collective::Kind::all_reduce) text += ", operation " + std::to_string(c.operation);
  if (c.kind == Collective::Kind::broadcast) text += ", root " + std::to_string(c.root);
  return text;
}

Rendezvous::Rendezvous(const std::string& name, int ranks, int rank)
    : name_(name), ranks_(ranks), rank_(rank) {
  int file = shm_open(name.c_str(), O_RDWR | O_CREAT | O_EXCL, 0600);
  const bool is_first = file >= 0;
  if (!is_first) file = shm_open(name.c_str(), O_RDWR, 0600);
  if (file < 0) fail("shm_open");
  shared_ = static_cast<Shared*>(map_shared(file, sizeof(Shared)));
  if (is_first) {
    make_shareable(&shared_->mutex, &shared_->condition);
    __atomic_store_n(&shared_->ready, 1, __ATOMIC_RELEASE);
  }
  while (__atomic_load_n(&shared_->ready, __ATOMIC_ACQUIRE) == 0) usleep(100);
  Mutex mutex{&shared_->mutex};
  const std::lock_guard lock(mutex);
  if (++shared_->came == ranks_) shm_unlink(name_.c_str());
}

Rendezvous::~Rendezvous() {
  Mutex mutex{&shared_->mutex};
  mutex.lock();
  const bool all_came = shared_->came == ranks_;
  shared_->given_up = 1;  // the others must not wait for a rank that has left
  pthread_cond_broadcast(&shared_->condition);
  mutex.unlock();
  munmap(shared_, sizeof(Shared));
  if (!all_came) shm_unlink(name_.c_str());
}

std::byte* Rendezvous::slot(int rank) const { return shared_->slots[rank]; }

std::string Rendezvous::meet(const Collective& collective) {
  Mutex mutex{&shared_->mutex};
  {
    const std::lock_guard lock(mutex);
    shared_->announced[rank_] = collective;
    shared_->requested = std::max(shared_->requested, collective.number);
  }
  if (!wait_for_all()) {
    return "rank " + std::to_string(rank_) + " waited in vain for the others to join its " +
           to_string(collective);
  }
  std::string wrong;
  for (int rank = 0; rank < ranks_; ++rank) {
    if (shared_->announced[rank] == collective) continue;
    wrong = "rank " + std::to_string(rank_) + " calls " + to_string(collective) + ", but rank " +
            std::to_string(rank) + " calls " + to_string(shared_->announced[rank]);
    break;
  }
  // No rank announces its next call before all have compared this one.
  return wait_for_all() ? wrong : "a rank has left";
}

bool Rendezvous::wait_for_all() {
  Mutex mutex{&shared_->mutex};
  const std::lock_guard lock(mutex);
  const int64_t meeting = shared_->meeting;
  if (++shared_->arrived == ranks_) {
    shared_->arrived = 0;
    ++shared_->meeting;
    pthread_cond_broadcast(&shared_->condition);
  }
  // Waits in slices, so that time during which the program was stopped does not count.
  auto left = patience();
  while (shared_->meeting == meeting && shared_->given_up == 0) {
    const timespec until = one_slice_from_now();
    if (pthread_cond_timedwait(&shared_->condition, &shared_->mutex, &until) == 0) continue;
    left -= kSlice;
    if (left.count() > 0) continue;
    shared_->given_up = 1;
    pthread_cond_broadcast(&shared_->condition);
  }
  return shared_->meeting != meeting;
}

void Rendezvous::abort() {
  Mutex mutex{&shared_->mutex};
  const std::lock_guard lock(mutex);
  shared_->given_up = shared_->aborted = 1;
  pthread_cond_broadcast(&shared_->condition);
}

bool Rendezvous::aborted() const { return __atomic_load_n(&shared_->aborted, __ATOMIC_RELAXED); }

int64_t Rendezvous::requested() const {
  return __atomic_load_n(&shared_->requested, __ATOMIC_RELAXED);
}

}  // namespace cuda_emulation
