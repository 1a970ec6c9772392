// Training on two devices, each driven by a rank of its own: synchronised batch normalisation and
// the reduction of gradients through NCCL give what one rank finds on the CPU.
#include <gtest/gtest.h>

#include <cmath>

#include "autograd/ops.h"
#include "autograd/reducer.h"
#include "engine/tensor_ops.h"
#include "pixpro/method/model.h"
#include "tests/cuda_emulation/control.h"
#include "tests/emulated/two_ranks.h"
#include "tests/support/golden.h"
#include "tests/support/hashed.h"

namespace engine {
namespace {

using autograd::GradientReducer;
using autograd::Var;
using test_support::distance;
using test_support::hashed_tensor;

constexpr int64_t kImages = 5, kChannels = 8;
constexpr int kReducerLane = 2;

// Convolution, batch normalisation with ReLU, twice.
struct Network {
  Device device;
  std::vector<Var> parameters{};
  std::vector<Tensor> running{};

  explicit Network(Device on) : device(on) {
    for (const std::string layer : {"0", "1"}) {
      add(hashed_tensor("weight" + layer, {kChannels, kChannels, 3, 3}, 0.3));
      add(hashed_tensor("scale" + layer, {kChannels}, 0.5, 1.0));
      add(hashed_tensor("shift" + layer, {kChannels}));
      running.push_back(zeros({kChannels}, DType::f32, device));
      running.push_back(full({kChannels}, 1.0, DType::f32, device));
    }
  }

  void add(const Tensor& value) {
    const Tensor f32 = to_dtype(value, DType::f32);
    parameters.push_back(
        Var::leaf(to_device(to_layout(f32, parameter_layout(device, f32.shape())), device)));
  }

  // Adds to the gradients those of sum(y * r) over these images.
  void sweep(int64_t begin, int64_t end, Communicator* ranks) {
    const Layout layout = activation_layout(device, DType::f32, kChannels);
    const auto images = [&](const char* name) {
      const Tensor all = hashed_tensor(name, {kImages, kChannels, 5, 4});
      return to_device(to_layout(to_dtype(all.rows(begin, end - begin), DType::f32), layout),
                       device);
    };
    autograd::Tape tape;
    Var x(images("x"));
    for (size_t i = 0; i < 2; ++i) {
      const Var y = conv2d(x, parameters[3 * i], Var(), {.padding = 1});
      x = batch_norm(y, Var(),
                     {.weight = parameters[3 * i + 1],
                      .bias = parameters[3 * i + 2],
                      .running_mean = running[2 * i],
                      .running_var = running[2 * i + 1],
                      .relu = true,
                      .ranks = ranks});
    }
    tape.backward(x, images("r"));
  }
};

Tensor on_cpu(const Tensor& t) { return to_layout(to_device(t, kCpu), Layout::plain); }

TEST(CudaRanks, TwoDevicesFindTheGradientsOfOneRank) {
  Network whole(kCpu);
  whole.sweep(0, kImages, nullptr);
  expect_no_errors(on_two_ranks([&](Communicator& ranks, Device device) {
    Network own(device);
    // Buckets of a few parameters each.
    GradientReducer reducer(own.parameters, ranks.lane(kReducerLane),
                            {.first_bucket_bytes = 64, .bucket_bytes = 3000});
    const int64_t begin = ranks.rank() == 0 ? 0 : 2, end = ranks.rank() == 0 ? 2 : kImages;
    for (int step = 0; step < 2; ++step) {
      for (Var& parameter : own.parameters) parameter.clear_grad();
      reducer.arm();
      own.sweep(begin, end, &ranks);
      reducer.finish();
      for (size_t i = 0; i < own.parameters.size(); ++i) {
        EXPECT_LE(distance(on_cpu(own.parameters[i].grad()), whole.parameters[i].grad()), 1e-4)
            << "parameter " << i << " in step " << step;
      }
      if (step > 0) continue;
      for (size_t i = 0; i < own.running.size(); ++i) {
        EXPECT_LE(distance(on_cpu(own.running[i]), whole.running[i]), 1e-5) << i;
      }
    }
  }));
  EXPECT_TRUE(cuda_emulation::take_findings().empty());
}

// The branches of a model in lockstep have the numbers of branches that run one after the other,
// and the batch norms of both share their messages.
TEST(CudaRanks, TheBranchesOfAModelShareMessages) {
  const Tensor views = to_dtype(hashed_tensor("views", {4, 3, 33, 33}), DType::f32);
  const Tensor boxes = hashed_tensor("boxes", {4, 4}, 0.2, 0.5);
  pixpro::ModelOptions options{.arch = "resnet18", .hidden_channels = 16, .out_channels = 8};
  pixpro::Init init_on_cpu{Random(1), DType::f32, kCpu};
  const auto alone = pixpro::Model(options, init_on_cpu).forward(views, boxes);
  // Both ranks have the same images, so the statistics of all ranks are those of each.
  expect_no_errors(on_two_ranks([&](Communicator& ranks, Device device) {
    pixpro::Init init{Random(1), DType::f32, device};
    pixpro::Model model(options, init);
    const auto input = [&](const Tensor& t) { return to_device(t, device); };
    const auto gathers = [&] {
      ranks.barrier();
      return cuda_emulation::call_count("ncclAllGather") / kRanks;
    };
    const int64_t before = gathers();
    const auto out = model.forward(input(to_layout(views, Layout::plain)), input(boxes),
                                   {&ranks, &ranks.lane(1)});
    EXPECT_EQ(gathers() - before, 21);  // 20 layers of the encoder, one of the projector
    EXPECT_LE(distance(on_cpu(out.features), alone.features), 1e-3);
    EXPECT_NEAR(item(out.loss.value()), item(alone.loss.value()), 1e-3);
  }));
  EXPECT_TRUE(cuda_emulation::take_findings().empty());
}

// Half of the bytes, each sum within the bound of ReducerOptions; the sums are timed on the device.
TEST(CudaRanks, GradientsAddedUpAsBf16AreWithinTheirBound) {
  Network parts[] = {Network(kCpu), Network(kCpu)};
  parts[0].sweep(0, 2, nullptr);
  parts[1].sweep(2, kImages, nullptr);
  expect_no_errors(on_two_ranks([&](Communicator& ranks, Device device) {
    Communicator& lane = ranks.lane(kReducerLane);
    Network own(device);
    GradientReducer reducer(own.parameters, lane,
                            {.first_bucket_bytes = 64, .bucket_bytes = 1500, .in_bf16 = true});
    lane.measure_traffic();
    reducer.arm();
    own.sweep(ranks.rank() == 0 ? 0 : 2, ranks.rank() == 0 ? 2 : kImages, nullptr);
    reducer.finish();
    int64_t elements = 0;
    for (size_t p = 0; p < own.parameters.size(); ++p) {
      const std::vector<double> found = to_values(own.parameters[p].grad()),
                                a = to_values(parts[0].parameters[p].grad()),
                                b = to_values(parts[1].parameters[p].grad());
      for (size_t i = 0; i < found.size(); ++i) {
        const double absolute = std::abs(a[i]) + std::abs(b[i]);
        EXPECT_NEAR(found[i], a[i] + b[i], 2.01 / 256.0 * absolute + 1e-5) << p << ' ' << i;
      }
      elements += own.parameters[p].grad().elements();
    }
    const Traffic traffic = lane.traffic();
    EXPECT_EQ(traffic.messages, 3);
    EXPECT_EQ(traffic.bytes, 2 * elements);
    EXPECT_GT(traffic.under_way, 0.0);
    EXPECT_GE(traffic.waited, 0.0);
  }));
  EXPECT_TRUE(cuda_emulation::take_findings().empty());
}

// Sums that are joined by a later ticket and collectives that are waited for at once.
TEST(CudaRanks, TrafficIsCountedAndTimed) {
  expect_no_errors(on_two_ranks([&](Communicator& ranks, Device device) {
    Communicator& lane = ranks.lane(1);
    const Tensor a = full({300}, 1.0, DType::f32, device);
    Tensor all({kRanks, 300}, DType::f32, device);
    lane.all_reduce(a);
    EXPECT_EQ(lane.traffic().messages, 1);
    EXPECT_EQ(lane.traffic().under_way, 0.0);  // not timed yet
    for (int run = 0; run < 2; ++run) {
      lane.measure_traffic();
      lane.start_all_reduce(a);
      lane.join(lane.start_all_reduce(a));
      lane.all_gather(a, all);
      lane.broadcast(all, 0);
      const Traffic traffic = lane.traffic();
      EXPECT_EQ(traffic.messages, 4);
      EXPECT_EQ(traffic.bytes, 5 * a.bytes());
      EXPECT_GT(traffic.under_way, 0.0);
      EXPECT_GE(traffic.waited, 0.0);
    }
  }));
  EXPECT_TRUE(cuda_emulation::take_findings().empty());
}

}  // namespace
}  // namespace engine
