#include "tests/paper_model/step_work.h"

#include <map>

#include "engine/tensor_ops.h"
#include "pixpro/method/model.h"

namespace paper_model {
namespace {

using autograd::GradSlot;
using autograd::Node;
using engine::Shape;

constexpr double kFloat = 4.0;
constexpr int64_t kTracedRows = 2;         // of the traced batch: one image, two views
constexpr int64_t kTensorsPerLaunch = 72;  // tensors per launch of the update's kernels

bool has_input(const Node& node, size_t i) {
  return node.inputs.size() > i && node.inputs[i] != nullptr;
}
bool wants_gradient(const Node& node, size_t i) {
  return has_input(node, i) && node.inputs[i]->needs_grad;
}

class Counter {
 public:
  explicit Counter(const StepShape& step) : step_(step) {}

  void add(Kernel kernel) { kernels_.push_back(std::move(kernel)); }
  void forward(const Node& node);
  void backward(const Node& node);
  std::vector<Kernel> kernels() && { return std::move(kernels_); }

  // Elements, at the step's batch size, of a tensor that was traced with two rows.
  double elements(const Shape& traced) const {
    const bool batched = traced.axes() > 0 && traced[0] == kTracedRows;
    return static_cast<double>(traced.elements() * (batched ? step_.images : 1));
  }
  double activation(const Shape& traced) const {
    return elements(traced) * (mixed() ? 2.0 : kFloat);
  }
  double floats(const Shape& traced) const { return elements(traced) * kFloat; }

 private:
  bool mixed() const { return step_.precision == Precision::bf16; }
  Unit product_unit() const { return step_.precision == Precision::tf32 ? Unit::tf32 : Unit::f32; }
  void convolution(const char* name, const Node& node);
  void cast(const char* name, const Shape& w) {
    if (mixed()) add({.name = name, .bytes = floats(w) + activation(w)});
  }
  void product(const char* name, const Node& node);

  StepShape step_;
  std::vector<Kernel> kernels_;
};

// All three directions read two of x, w and y and write the third.
void Counter::convolution(const char* name, const Node& node) {
  const Shape &x = node.inputs[0]->shape, &w = node.inputs[1]->shape, &y = node.output->shape;
  add({.name = name,
       .flops = 2.0 * elements(y) * static_cast<double>(w[1] * w[2] * w[3]),
       .bytes = activation(x) + activation(w) + activation(y),
       .unit = mixed() ? Unit::bf16 : product_unit()});
}

// c [N,m,n] = a b, each transposed or not. Either gradient takes as much work.
void Counter::product(const char* name, const Node& node) {
  const Shape &a = node.inputs[0]->shape, &b = node.inputs[1]->shape, &c = node.output->shape;
  const int64_t inner = a.elements() / (c[0] * c[1]);
  add({.name = name,
       .flops = 2.0 * elements(c) * static_cast<double>(inner),
       .bytes = floats(a) + floats(b) + floats(c),
       .unit = product_unit()});
}

void Counter::forward(const Node& node) {
  const std::string op = node.op;
  const Shape &x = node.inputs[0]->shape, &y = node.output->shape;
  if (op == "conv2d") {
    cast("cast of weights", node.inputs[1]->shape);
    convolution("conv2d forward", node);
    if (has_input(node, 2)) add({.name = "bias forward", .bytes = 2.0 * activation(y)});
  } else if (op == "batch_norm") {
    const double residual = has_input(node, 3) ? activation(x) : 0.0;
    add({.name = "batch_norm statistics",
         .flops = 4.0 * elements(x),
         .bytes = activation(x),
         .launches = 3,  // chunks, their merging, running estimates
         .unit = Unit::f64});
    add({.name = "batch_norm apply", .bytes = activation(x) + residual + activation(y)});
  } else if (op == "max_pool2d") {
    add({.name = "max_pool2d forward", .bytes = activation(x) + activation(y) + elements(y)});
  } else if (op == "flatten_pixels") {
    add({.name = op, .bytes = activation(x) + floats(y)});
  } else if (op == "matmul") {
    product("matmul forward", node);
  } else {
    add({.name = op + " forward",
         .bytes = floats(x) + floats(y),
         .launches = op == "pixpro_loss" ? 2 : 1});
  }
}

void Counter::backward(const Node& node) {
  const std::string op = node.op;
  const Shape &x = node.inputs[0]->shape, &y = node.output->shape;
  if (op == "conv2d") {
    if (wants_gradient(node, 0)) convolution("conv2d backward data", node);
    convolution("conv2d backward weights", node);
    if (has_input(node, 2)) {
      add({.name = "bias backward",
           .flops = elements(y),
           .bytes = activation(y),
           .launches = 2,
           .unit = Unit::f64});
    }
    cast("cast of weight gradients", node.inputs[1]->shape);
  } else if (op == "batch_norm") {
    // dy and x; the output too if a residual was added before its ReLU.
    const double read = (has_input(node, 3) ? 3.0 : 2.0) * activation(x);
    add({.name = "batch_norm backward sums",
         .flops = 4.0 * elements(x),
         .bytes = read,
         .launches = 3,  // chunks, their sum, parameters
         .unit = Unit::f64});
    add({.name = "batch_norm backward apply",
         .bytes = read + (wants_gradient(node, 3) ? 2.0 : 1.0) * activation(x)});
  } else if (op == "max_pool2d") {
    add({.name = "max_pool2d backward", .bytes = activation(y) + elements(y) + activation(x)});
  } else if (op == "flatten_pixels") {
    add({.name = op, .bytes = floats(y) + activation(x)});
  } else if (op == "matmul") {
    for (size_t i = 0; i < 2; ++i) {
      if (wants_gradient(node, i)) product("matmul backward", node);
    }
  } else {
    const double saved = op == "l2_normalize" || op == "clamp_power" ? 2.0 : 1.0;
    add({.name = op + " backward", .bytes = saved * floats(x) + floats(y)});
  }
}

// Two passes over the parameters: LARS' norms, then the update of parameters and momentum encoder.
void add_update(Counter& counter, const std::vector<Shape>& encoder,
                const std::vector<Shape>& trained) {
  const auto elements = [](const std::vector<Shape>& tensors) {
    double sum = 0.0;
    for (const Shape& shape : tensors) sum += static_cast<double>(shape.elements());
    return sum;
  };
  const auto count = static_cast<int64_t>(trained.size());
  const int64_t launches = (count + kTensorsPerLaunch - 1) / kTensorsPerLaunch;
  const double read = 2.0 * elements(trained) * kFloat;
  const double moved = (5.0 * elements(trained) + 2.0 * elements(encoder)) * kFloat;
  counter.add({.name = "LARS norms", .bytes = read, .launches = launches});
  counter.add({.name = "LARS update", .bytes = moved, .launches = launches});
}

// The number of leading nodes that use the first `parameters` parameters: backbone and projector,
// which the momentum encoder also has.
size_t nodes_of_encoder(const std::vector<Node>& nodes, size_t parameters) {
  size_t count = 0, used = 0;
  while (used < parameters) {
    for (const auto& input : nodes[count].inputs) {
      if (input != nullptr && input->needs_grad && input->producer < 0) ++used;
    }
    ++count;
  }
  return count;
}

// The gradients from several uses of one tensor are added in place.
void add_accumulations(Counter& counter, const std::vector<Node>& nodes) {
  std::map<const GradSlot*, int64_t> uses;
  for (const Node& node : nodes) {
    for (const auto& input : node.inputs) {
      if (input != nullptr && input->needs_grad && ++uses[input.get()] > 1) {
        counter.add({.name = "sum of gradients", .bytes = 3.0 * counter.activation(input->shape)});
      }
    }
  }
}

// The shapes of the parameters that learn, or of the momentum encoder, which follow them.
std::vector<Shape> shapes_of(const layers::Module& module, bool trained) {
  std::vector<Shape> shapes;
  for (const layers::NamedVar& p : module.parameters()) {
    if (p.var.needs_grad() == trained) shapes.push_back(p.var.shape());
  }
  return shapes;
}

}  // namespace

std::vector<Kernel> step_work(const StepShape& step) {
  layers::Init init{engine::Random(1)};
  pixpro::Model model({.arch = step.arch}, init);
  engine::Tensor boxes = engine::zeros({kTracedRows, 4}, engine::DType::f64);
  for (int64_t row = 0; row < kTracedRows; ++row) {
    boxes.data<double>()[4 * row + 2] = boxes.data<double>()[4 * row + 3] = 1.0;
  }
  const autograd::Tape tape;
  const Shape views{kTracedRows, 3, step.image_size, step.image_size};
  model.forward(engine::full(views, 0.5), boxes);
  const std::vector<Node>& nodes = tape.nodes();

  Counter counter(step);
  counter.add({.name = "views to channels-last",
               .bytes = counter.floats(views) + counter.activation(views)});
  for (const Node& node : nodes) counter.forward(node);
  const std::vector<Shape> encoder = shapes_of(model, false);
  const size_t shared = nodes_of_encoder(nodes, encoder.size());
  for (size_t i = 0; i < shared; ++i) counter.forward(nodes[i]);
  const Shape features = nodes[shared - 1].output->shape;
  counter.add(
      {.name = "flatten_pixels", .bytes = counter.activation(features) + counter.floats(features)});
  counter.add({.name = "l2_normalize forward", .bytes = 2.0 * counter.floats(features)});
  counter.add(
      {.name = "exchange of views", .bytes = 2.0 * counter.floats(features), .launches = 2});
  for (auto node = nodes.rbegin(); node != nodes.rend(); ++node) counter.backward(*node);
  add_accumulations(counter, nodes);
  add_update(counter, encoder, shapes_of(model, true));
  return std::move(counter).kernels();
}

}  // namespace paper_model
