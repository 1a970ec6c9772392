// Emulated streams: lazy, eager and racing ones show other missing waits.
#include <algorithm>
#include <cmath>

#include "tests/cuda_emulation/self_test/kernels.h"
#include "tests/cuda_emulation/self_test/support.h"

namespace cuda_emulation {
namespace {

using StreamTest = EmulationTest;

// Pinned memory for the length of a test.
class PinnedFloats {
 public:
  explicit PinnedFloats(size_t count) {
    EXPECT_EQ(cudaHostAlloc(reinterpret_cast<void**>(&data_), count * sizeof(float),
                            cudaHostAllocDefault),
              cudaSuccess);
  }
  ~PinnedFloats() { cudaFreeHost(data_); }
  PinnedFloats(const PinnedFloats&) = delete;
  PinnedFloats& operator=(const PinnedFloats&) = delete;
  float* data() const { return data_; }

 private:
  float* data_ = nullptr;
};

class Event {
 public:
  Event() { EXPECT_EQ(cudaEventCreateWithFlags(&event_, cudaEventDefault), cudaSuccess); }
  ~Event() { cudaEventDestroy(event_); }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  operator cudaEvent_t() const { return event_; }

 private:
  cudaEvent_t event_ = nullptr;
};

TEST_F(StreamTest, ACopyToPinnedMemoryThatNobodyWaitsForHasNotHappened) {
  SKIP_RACE();
  const Stream stream;
  const DeviceFloats x(counted(64));
  const PinnedFloats host(64);
  ASSERT_EQ(cudaMemcpyAsync(host.data(), x.data(), 256, cudaMemcpyDeviceToHost, stream),
            cudaSuccess);
  EXPECT_TRUE(std::isnan(host.data()[5]));
  ASSERT_EQ(cudaStreamSynchronize(stream), cudaSuccess);
  EXPECT_EQ(host.data()[5], 5.0f);
}

TEST_F(StreamTest, ACopyFromPinnedMemoryReadsItWhenTheStreamReachesIt) {
  SKIP_RACE();
  const Stream stream;
  const DeviceFloats x(1);
  const PinnedFloats host(1);
  host.data()[0] = 1.0f;
  ASSERT_EQ(cudaMemcpyAsync(x.data(), host.data(), 4, cudaMemcpyHostToDevice, stream), cudaSuccess);
  host.data()[0] = 2.0f;  // too early
  EXPECT_EQ(x.values()[0], 2.0f);
}

TEST_F(StreamTest, ACopyFromOrdinaryMemoryReadsItAtOnce) {
  const Stream stream;
  const DeviceFloats x(1);
  float host = 1.0f;
  ASSERT_EQ(cudaMemcpyAsync(x.data(), &host, 4, cudaMemcpyHostToDevice, stream), cudaSuccess);
  host = 2.0f;
  EXPECT_EQ(x.values()[0], 1.0f);
}

// Counts on one stream, doubles on another; returns what the second has made of element 3.
float doubled_on_another_stream(bool with_event) {
  const Stream first, second;
  const Event event;
  const DeviceFloats x(64), y(64);
  EXPECT_EQ(launch_count(first, 1, x.data()), cudaSuccess);
  EXPECT_EQ(cudaEventRecord(event, first), cudaSuccess);
  if (with_event) cudaStreamWaitEvent(second, event, 0);
  EXPECT_EQ(launch_double(second, 1, x.data(), y.data()), cudaSuccess);
  EXPECT_EQ(cudaStreamSynchronize(second), cudaSuccess);
  return y.values()[3];
}

TEST_F(StreamTest, AMissingEventShowsInTheResult) {
  SKIP_RACE();
  EXPECT_EQ(doubled_on_another_stream(true), 6.0f);
  EXPECT_TRUE(std::isnan(doubled_on_another_stream(false)));
}

TEST_F(StreamTest, EagerStreamsRunWorkAtOnce) {
  SKIP_RACE();
  options().streams = Streams::eager;
  EXPECT_EQ(doubled_on_another_stream(false), 6.0f);
}

TEST_F(StreamTest, RacingStreamsKeepTheOrderOfEvents) {
  SKIP_RACE();
  options().streams = Streams::racing;
  EXPECT_EQ(doubled_on_another_stream(true), 6.0f);
  EXPECT_TRUE(std::isnan(doubled_on_another_stream(false)));
}

// Where a copy waits for a kernel that reads what it overwrites.
enum class Waits { after_the_kernel, before_the_kernel, nowhere };

// A kernel doubles element 3 = 3, and a copy on another stream overwrites its input with 100.
float doubled_while_overwritten(Waits waits) {
  const Stream compute, copies;
  const Event before, after;
  const DeviceFloats x(counted(64)), y(64);
  const PinnedFloats next(64);
  std::fill_n(next.data(), 64, 100.0f);
  EXPECT_EQ(cudaEventRecord(before, compute), cudaSuccess);
  EXPECT_EQ(launch_double(compute, 1, x.data(), y.data()), cudaSuccess);
  EXPECT_EQ(cudaEventRecord(after, compute), cudaSuccess);
  if (waits == Waits::after_the_kernel) cudaStreamWaitEvent(copies, after, 0);
  if (waits == Waits::before_the_kernel) cudaStreamWaitEvent(copies, before, 0);
  EXPECT_EQ(cudaMemcpyAsync(x.data(), next.data(), x.bytes(), cudaMemcpyHostToDevice, copies),
            cudaSuccess);
  EXPECT_EQ(cudaStreamSynchronize(compute), cudaSuccess);
  return y.values()[3];
}

TEST_F(StreamTest, OnlyRacingStreamsOverwriteWhatIsStillToBeRead) {
  SKIP_RACE();
  for (const Streams streams : {Streams::lazy, Streams::eager}) {
    options().streams = streams;
    EXPECT_EQ(doubled_while_overwritten(Waits::nowhere), 6.0f);
  }
  options().streams = Streams::racing;
  EXPECT_EQ(doubled_while_overwritten(Waits::nowhere), 200.0f);
  EXPECT_EQ(doubled_while_overwritten(Waits::before_the_kernel), 200.0f);
  EXPECT_EQ(doubled_while_overwritten(Waits::after_the_kernel), 6.0f);
}

#ifndef __SANITIZE_ADDRESS__  // stops the program at the read
// A kernel doubles element 3 = 3 of memory that another stream frees.
float doubled_while_freed(bool waits) {
  const Stream compute, other;
  const Event read;
  const DeviceFloats y(64);
  float* x = nullptr;
  EXPECT_EQ(cudaMalloc(reinterpret_cast<void**>(&x), 256), cudaSuccess);
  const std::vector<float> values = counted(64);
  EXPECT_EQ(cudaMemcpy(x, values.data(), 256, cudaMemcpyHostToDevice), cudaSuccess);
  EXPECT_EQ(launch_double(compute, 1, x, y.data()), cudaSuccess);
  EXPECT_EQ(cudaEventRecord(read, compute), cudaSuccess);
  if (waits) cudaStreamWaitEvent(other, read, 0);
  EXPECT_EQ(cudaFreeAsync(x, other), cudaSuccess);
  EXPECT_EQ(cudaStreamSynchronize(compute), cudaSuccess);
  return y.values()[3];
}

TEST_F(StreamTest, OnlyRacingStreamsFreeWhatIsStillToBeRead) {
  SKIP_RACE();
  for (const Streams streams : {Streams::lazy, Streams::eager}) {
    options().streams = streams;
    EXPECT_EQ(doubled_while_freed(false), 6.0f);
  }
  options().streams = Streams::racing;
  EXPECT_TRUE(std::isnan(doubled_while_freed(false)));
  EXPECT_EQ(doubled_while_freed(true), 6.0f);
}
#endif

TEST_F(StreamTest, EventsHoldWhereTheyWereRecordedLast) {
  SKIP_RACE();
  const Stream first, second;
  const Event event;
  const DeviceFloats x(64), y(64);
  ASSERT_EQ(cudaStreamWaitEvent(second, event, 0), cudaSuccess);  // never recorded: no wait
  ASSERT_EQ(cudaEventRecord(event, first), cudaSuccess);
  ASSERT_EQ(launch_count(first, 1, x.data()), cudaSuccess);  // after the record
  ASSERT_EQ(cudaStreamWaitEvent(second, event, 0), cudaSuccess);
  ASSERT_EQ(launch_double(second, 1, x.data(), y.data()), cudaSuccess);
  ASSERT_EQ(cudaStreamSynchronize(second), cudaSuccess);
  EXPECT_TRUE(std::isnan(y.values()[3]));
}

TEST_F(StreamTest, EventsTellTheTime) {
  const Stream stream;
  const Event begin, end;
  const DeviceFloats x(64);
  ASSERT_EQ(cudaEventRecord(begin, stream), cudaSuccess);
  ASSERT_EQ(launch_count(stream, 1, x.data()), cudaSuccess);
  ASSERT_EQ(cudaEventRecord(end, stream), cudaSuccess);
  float milliseconds = -1.0f;
  EXPECT_EQ(cudaEventElapsedTime(&milliseconds, begin, end), cudaErrorNotReady);
  EXPECT_EQ(cudaEventSynchronize(end), cudaSuccess);
  EXPECT_EQ(cudaEventElapsedTime(&milliseconds, begin, end), cudaSuccess);
  EXPECT_GE(milliseconds, 0.0f);
}

TEST_F(StreamTest, DestroyedHandlesAreRefused) {
  cudaStream_t stream = nullptr;
  ASSERT_EQ(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), cudaSuccess);
  ASSERT_EQ(cudaStreamDestroy(stream), cudaSuccess);
  EXPECT_EQ(cudaStreamSynchronize(stream), cudaErrorInvalidResourceHandle);
  EXPECT_EQ(cudaStreamDestroy(stream), cudaErrorInvalidResourceHandle);
}

TEST_F(StreamTest, AGridWithoutBlocksIsRefused) {
  const DeviceFloats x(64);
  EXPECT_EQ(launch_count(nullptr, 0, x.data()), cudaErrorInvalidConfiguration);
}

}  // namespace
}  // namespace cuda_emulation
