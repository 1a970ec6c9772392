// Every convolution kernel on the layers of the ResNets, next to its floor: the time of the
// formula's multiply-adds at the processor's peak. Winograd's kernels need fewer of them and may be
// faster than the floor.
//
//   pixpro_bench --benchmark_filter='conv/resnet18_224/.*/forward'
//     --benchmark_enable_random_interleaving --benchmark_repetitions=9
//
// A weight is packed anew in every call, as in training, which changes it after every call.
#include <benchmark/benchmark.h>

#include <sstream>
#include <string>

#include "engine/cpu/conv/algorithm.h"
#include "engine/cpu/conv/direct.h"
#include "engine/cpu/conv/onednn_conv.h"
#include "engine/cpu/conv/winograd/winograd.h"
#include "engine/cpu/lanes.h"
#include "engine/tensor_ops.h"
#include "tests/bench/kernel_bench.h"

namespace bench {
namespace {

using namespace engine;

struct Layer {
  int64_t in, out, size, kernel, stride;  // size: side of the input
};

struct Network {
  const char* name;
  int64_t images;  // both views
  std::vector<Layer> layers;
};

// The different convolutions of the four stages. The input of the first is size x size pixels.
std::vector<Layer> resnet18(int64_t size) {
  std::vector<Layer> layers = {{64, 64, size, 3, 1}};
  for (int64_t c = 128; c <= 512; c *= 2, size /= 2) {
    layers.push_back({c / 2, c, size, 3, 2});
    layers.push_back({c / 2, c, size, 1, 2});
    layers.push_back({c, c, size / 2, 3, 1});
  }
  return layers;
}

std::vector<Layer> resnet50(int64_t size) {
  std::vector<Layer> layers = {
      {64, 64, size, 1, 1}, {64, 64, size, 3, 1}, {64, 256, size, 1, 1}, {256, 64, size, 1, 1}};
  for (int64_t c = 128; c <= 512; c *= 2, size /= 2) {
    layers.push_back({2 * c, c, size, 1, 1});
    layers.push_back({c, c, size, 3, 2});
    layers.push_back({2 * c, 4 * c, size, 1, 2});
    layers.push_back({c, 4 * c, size / 2, 1, 1});
    layers.push_back({4 * c, c, size / 2, 1, 1});
    layers.push_back({c, c, size / 2, 3, 1});
  }
  return layers;
}

// The tensors of one layer, and calls of its kernels.
struct LayerCalls {
  Conv2dOptions options;
  Tensor x, w, y, none;

  LayerCalls(const Layer& l, int64_t images)
      : options{.stride = l.stride, .padding = l.kernel / 2} {
    const Shape image{images, l.in, l.size, l.size};
    w = full({l.out, l.in, l.kernel, l.kernel}, 0.01);
    x = to_layout(full(image, 0.5), kLaneLayout);
    y = to_layout(full(conv2d_output_shape(image, w.shape(), options), 0.5), kLaneLayout);
  }

  double flop() const { return 2.0 * y.elements() * w.elements() / w.shape()[0]; }

  void forward(const ConvChoice& choice) {
    CpuContext& ctx = cpu_context();
    switch (choice.algorithm) {
      case ConvAlgorithm::reference:
        return;  // not timed
      case ConvAlgorithm::library:
        return onednn_conv_forward(ctx, x, w, none, options, y);
      case ConvAlgorithm::direct:
        return direct_conv_forward(ctx, x, w, none, options, y);
      case ConvAlgorithm::winograd:
        return winograd_conv_forward(ctx, choice.tile, x, w, options, y);
    }
  }
  void backward_data(const ConvChoice& choice) {
    CpuContext& ctx = cpu_context();
    switch (choice.algorithm) {
      case ConvAlgorithm::reference:
        return;  // not timed
      case ConvAlgorithm::library:
        return onednn_conv_backward_data(ctx, y, w, options, x);
      case ConvAlgorithm::direct:
        return direct_conv_backward_data(ctx, y, w, options, false, x);
      case ConvAlgorithm::winograd:
        return winograd_conv_backward_data(ctx, choice.tile, y, w, options, false, x);
    }
  }
  void backward_weights(const ConvChoice& choice) {
    switch (choice.algorithm) {
      case ConvAlgorithm::reference:
        return;  // not timed
      case ConvAlgorithm::library:
        return onednn_conv_backward_weights(cpu_context(), x, y, options, w, none);
      case ConvAlgorithm::direct:
        return direct_conv_backward_weights(x, y, options, w);
      case ConvAlgorithm::winograd:
        return winograd_conv_backward_weights(choice.tile, x, y, options, w);
    }
  }
};

using Call = void (LayerCalls::*)(const ConvChoice&);

void measure(benchmark::State& state, const Layer& layer, int64_t images, Call call,
             const ConvChoice& choice) {
  LayerCalls calls(layer, images);
  for (auto _ : state) {
    calls.w.data<float>();  // a new version, so that packed copies are stale
    (calls.*call)(choice);
  }
  using benchmark::Counter;
  const double flops = calls.flop(), peak = limits().flops;
  state.counters["GFLOP/s"] = Counter(1e-9 * flops, Counter::kIsIterationInvariantRate);
  state.counters["of_floor"] = Counter(flops / peak, Counter::kIsIterationInvariantRate);
  state.counters["floor_ms"] = 1e3 * flops / peak;
}

std::string name_of(const Layer& l) {
  return std::to_string(l.in) + "to" + std::to_string(l.out) + "_k" + std::to_string(l.kernel) +
         "s" + std::to_string(l.stride) + "_" + std::to_string(l.size);
}

void add_layer(const Network& network, const Layer& layer) {
  const std::pair<const char*, Call> directions[] = {
      {"forward", &LayerCalls::forward},
      {"backward_data", &LayerCalls::backward_data},
      {"backward_weights", &LayerCalls::backward_weights}};
  std::vector<ConvChoice> choices = {{ConvAlgorithm::library}, {ConvAlgorithm::direct}};
  for (const WinogradTile& t : kWinogradTiles) {
    if (layer.kernel == 3 && layer.stride == t.stride) {
      choices.push_back({ConvAlgorithm::winograd, t.tile});
    }
  }
  for (const auto& [direction, call] : directions) {
    for (const ConvChoice& choice : choices) {
      std::ostringstream name;
      name << "conv/" << network.name << '/' << name_of(layer) << '/' << direction << '/' << choice;
      benchmark::RegisterBenchmark(name.str().c_str(), measure, layer, network.images, call, choice)
          ->Unit(benchmark::kMillisecond)
          ->UseRealTime();
    }
  }
}

[[maybe_unused]] const bool registered = [] {
  const Network networks[] = {{"resnet18_224", 16, resnet18(56)},
                              {"resnet18_96", 64, resnet18(24)},
                              {"resnet50_224", 8, resnet50(56)}};
  for (const Network& network : networks) {
    for (const Layer& layer : network.layers) add_layer(network, layer);
  }
  return true;
}();

}  // namespace
}  // namespace bench
