// Every kernel but convolutions, at the sizes of a training step: ResNet-18, 224 pixels, 8 images
// in 2 views (batch norm and pooling), ResNet-50's parameters (optimiser), 7 x 7 features of 256
// channels (the method).
//
//   pixpro_bench --benchmark_filter=batch_norm
#include "engine/kernels/matmul.h"
#include "engine/kernels/norm.h"
#include "engine/kernels/optimizer_update.h"
#include "engine/kernels/pointwise.h"
#include "engine/kernels/pool.h"
#include "engine/tensor_ops.h"
#include "layers/nn/init.h"
#include "pixpro/method/kernels.h"
#include "tests/bench/kernel_bench.h"

namespace bench {
namespace {

using namespace engine;

constexpr int64_t kStacked = 16;

Tensor random_tensor(const Shape& shape) {
  layers::Init init{Random(1)};
  return init.normal(shape, 1.0);
}

Tensor activation(int64_t channels, int64_t side) {
  return to_layout(random_tensor({kStacked, channels, side, side}),
                   activation_layout(kCpu, DType::f32, channels));
}

// A batch norm with everything its passes read and write. Benchmarks hold it by shared pointer,
// because registering a function copies it.
struct Norm {
  Tensor x, dy, y, dx, dresidual, statistics, sums, weight, bias;
  BatchNormOptions options{.relu = true};

  Norm(int64_t channels, int64_t side)
      : x(activation(channels, side)),
        dy(activation(channels, side)),
        y(empty_like(x)),
        dx(empty_like(x)),
        dresidual(empty_like(x)),
        statistics({2, 2, channels}, DType::f64),
        sums({2, 2, channels}, DType::f64),
        weight(full({channels}, 1.0)),
        bias(full({channels}, 0.1)) {
    batch_norm_forward(cpu_context(), x, weight, bias, dy, options, statistics, y);
  }
  BatchNormInputs inputs(bool with_output) const {
    static const Tensor none;
    return {dy, x, with_output ? y : none, statistics, weight, bias, options};
  }
};

void add_batch_norm(int64_t channels, int64_t side) {
  const auto add = [&](const std::string& what, auto kernel) {
    const std::string name = "batch_norm/" + what + '/' + std::to_string(channels) + 'x' +
                             std::to_string(side) + 'x' + std::to_string(side);
    add_benchmark(name,
                  [=] { return [=, n = std::make_shared<Norm>(channels, side)] { kernel(*n); }; });
  };
  add("statistics", [](Norm& n) { batch_norm_statistics(cpu_context(), n.x, n.statistics); });
  add("apply", [](Norm& n) {
    batch_norm_apply(cpu_context(), n.x, n.statistics, n.weight, n.bias, {}, n.options, n.y);
  });
  add("forward", [](Norm& n) {
    batch_norm_forward(cpu_context(), n.x, n.weight, n.bias, {}, n.options, n.statistics, n.y);
  });
  add("forward_residual", [](Norm& n) {
    batch_norm_forward(cpu_context(), n.x, n.weight, n.bias, n.dy, n.options, n.statistics, n.y);
  });
  add("backward", [](Norm& n) {
    Tensor none;
    batch_norm_backward(cpu_context(), n.inputs(false), 1000, n.sums, n.dx, none);
  });
  add("backward_residual", [](Norm& n) {
    batch_norm_backward(cpu_context(), n.inputs(true), 1000, n.sums, n.dx, n.dresidual);
  });
}

void add_pools() {
  const PoolOptions options{.size = 3, .stride = 2, .padding = 1};
  add_benchmark("max_pool2d/forward", [=] {
    const Tensor x = activation(64, 112);
    Tensor y = activation(64, 56), winner(y.shape(), DType::u8, kCpu, y.layout());
    return [=]() mutable { max_pool2d_forward(cpu_context(), x, options, y, winner); };
  });
  add_benchmark("max_pool2d/backward", [=] {
    const Tensor x = activation(64, 112);
    Tensor y = activation(64, 56), winner(y.shape(), DType::u8, kCpu, y.layout());
    max_pool2d_forward(cpu_context(), x, options, y, winner);
    return [=, dx = empty_like(x)]() mutable {
      max_pool2d_backward(cpu_context(), y, winner, options, dx);
    };
  });
  add_benchmark("global_average_pool/forward", [] {
    return [x = activation(512, 7), y = Tensor({kStacked, 512})]() mutable {
      global_average_pool_forward(cpu_context(), x, y);
    };
  });
}

void add_pointwise() {
  const auto add = [](const std::string& name, auto kernel) {
    add_benchmark("pointwise/" + name, [=] {
      return [=, x = activation(64, 56), z = activation(64, 56), y = activation(64, 56)]() mutable {
        kernel(cpu_context(), x, z, y);
      };
    });
  };
  using T = Tensor;
  add("add", [](auto& ctx, const T& x, const T& z, T& y) { engine::add(ctx, x, z, y); });
  add("scale", [](auto& ctx, const T& x, const T&, T& y) { scale(ctx, x, 0.5, y); });
  add("relu", [](auto& ctx, const T& x, const T&, T& y) { relu_forward(ctx, x, y); });
  add("relu_backward",
      [](auto& ctx, const T& x, const T& z, T& y) { relu_backward(ctx, x, z, y); });
  add_benchmark("pointwise/convert_layout", [] {
    return [x = activation(64, 56), y = Tensor({kStacked, 64, 56, 56})]() mutable {
      convert(cpu_context(), x, y);
    };
  });
}

// As many parameters as a ResNet-50 has, and as large, each with a follower if `followed`.
std::vector<ParameterUpdate> updates(bool followed) {
  std::vector<ParameterUpdate> all;
  for (int i = 0; i < 50; ++i) {
    const Shape weight{256, 1900}, bias{256};
    for (const Shape& shape : {weight, bias, bias}) {
      all.push_back({random_tensor(shape), random_tensor(shape), zeros(shape), shape == weight,
                     followed ? random_tensor(shape) : Tensor()});
    }
  }
  return all;
}

// The floors are 5 passes over a parameter's bytes, 7 with a follower. LARS' norms need another 2,
// which should hit the cache.
void add_optimizer_update() {
  const auto add = [](const char* name, double trust, bool followed) {
    add_benchmark(name, [=] {
      return [=, all = updates(followed)]() mutable {
        sgd_update(cpu_context(), all,
                   {.learning_rate = 0.1,
                    .momentum = 0.9,
                    .weight_decay = 1e-5,
                    .trust = trust,
                    .follow = 0.99});
      };
    });
  };
  add("optimizer_update/sgd", 0.0, false);
  add("optimizer_update/lars", 1e-3, false);
  add("optimizer_update/lars_follower", 1e-3, true);
}

void add_method() {
  constexpr int64_t kChannels = 256, kPixels = 49;
  const Shape features{kStacked, kChannels, kPixels}, square{kStacked, kPixels, kPixels};
  add_benchmark("method/similarity", [=] {
    return [a = random_tensor(features), c = Tensor(square)]() mutable {
      matmul(cpu_context(), a, a, {.transpose_a = true}, c);
    };
  });
  add_benchmark("method/l2_normalize", [=] {
    return [x = random_tensor(features), y = Tensor(features),
            norms = Tensor({kStacked, kPixels})]() mutable {
      l2_normalize_forward(cpu_context(), x, y, norms);
    };
  });
  add_benchmark("method/clamp_power", [=] {
    return [x = random_tensor(square), y = Tensor(square)]() mutable {
      clamp_power_forward(cpu_context(), x, {}, y);
    };
  });
  add_benchmark("method/pixpro_loss", [=] {
    const Tensor boxes = to_dtype(full({kStacked, 4}, 0.5), DType::f64);
    const pixpro::PixelPairs pairs{.boxes_q = boxes, .boxes_k = boxes, .grid = {7, 7}};
    return [=, x = random_tensor(square), loss = Tensor(Shape{}),
            images = Tensor({kStacked, pixpro::kColumns}, DType::f64)]() mutable {
      pixpro_loss_forward(cpu_context(), x, pairs, images, loss);
    };
  });
}

[[maybe_unused]] const bool registered = [] {
  for (int64_t channels = 64, side = 112; channels <= 512; channels *= 2, side /= 2) {
    add_batch_norm(channels, side);
  }
  add_pools();
  add_pointwise();
  add_optimizer_update();
  add_method();
  return true;
}();

}  // namespace
}  // namespace bench
