// Two ranks of NCCL, each of which is a thread with its own device.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <functional>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "engine/ranks/communicator.h"

namespace engine {

inline constexpr int kRanks = 2, kLanes = 3;

// Runs the body on both ranks at once. Returns the messages of their errors, "" for no error.
inline std::array<std::string, kRanks> on_two_ranks(
    const std::function<void(Communicator&, Device)>& body) {
  std::promise<std::vector<std::byte>> promise;
  const auto shared = promise.get_future().share();
  std::array<std::string, kRanks> errors;
  std::vector<std::thread> threads;
  for (int rank = 0; rank < kRanks; ++rank) {
    threads.emplace_back([&, rank] {
      const auto share = [&](std::span<std::byte> bytes) {
        if (rank == 0) promise.set_value({bytes.begin(), bytes.end()});
        std::memcpy(bytes.data(), shared.get().data(), bytes.size());
      };
      const Device device{Device::Type::cuda, rank};
      try {
        body(*make_nccl_communicator(device, rank, kRanks, kLanes, share), device);
      } catch (const Error& error) {
        errors[static_cast<size_t>(rank)] = error.what();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  return errors;
}

inline void expect_no_errors(const std::array<std::string, kRanks>& errors) {
  for (const std::string& error : errors) EXPECT_EQ(error, "");
}

}  // namespace engine
