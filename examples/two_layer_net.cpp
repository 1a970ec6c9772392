// The engine used as a library: a network of two layers learns to multiply two numbers.
#include <cstdio>

#include "engine/tensor_ops.h"
#include "layers/nn/basic.h"
#include "layers/optim/sgd.h"

using autograd::Var;
using engine::Tensor;

struct TwoLayerNet : layers::Module {
  explicit TwoLayerNet(layers::Init& init) : hidden(2, 32, init), output(32, 1, init) {
    add_child("hidden", hidden);
    add_child("output", output);
  }
  Var forward(const Var& x) const { return output.forward(autograd::relu(hidden.forward(x))); }

  layers::Linear hidden, output;
};

int main() {
  constexpr int64_t kPairs = 256;
  layers::Init init{engine::Random(1)};
  const Tensor pairs = init.uniform({kPairs, 2}, 1.0);
  Tensor negated_products({kPairs, 1});
  for (int64_t i = 0; i < kPairs; ++i) {
    const float* pair = pairs.data<float>() + 2 * i;
    negated_products.data<float>()[i] = -pair[0] * pair[1];
  }

  TwoLayerNet net(init);
  layers::Sgd sgd(net.parameters(), {.lars = false, .momentum = 0.9, .weight_decay = 0.0});
  double first_loss = 0.0, last_loss = 0.0;
  for (int step = 0; step < 500; ++step) {
    autograd::Tape tape;  // records what follows
    const Var error = autograd::add(net.forward(Var(pairs)), Var(negated_products));
    const Var sum_of_squares = autograd::matmul(error, error, {.transpose_a = true});  // [1, 1]
    const Var loss = autograd::scale(sum_of_squares, 1.0 / kPairs);
    tape.backward(loss);
    sgd.step(/*learning_rate=*/0.1);

    last_loss = engine::item(loss.value());
    if (step == 0) first_loss = last_loss;
    if (step % 100 == 0) std::printf("step %3d: loss %.5f\n", step, last_loss);
  }
  std::printf("Loss %.5f at first, %.5f at last.\n", first_loss, last_loss);
  return last_loss < first_loss / 10 ? 0 : 1;
}
