#include "engine/cpu/onednn.h"

#include <map>
#include <oneapi/dnnl/dnnl.hpp>
#include <string_view>
#include <vector>

#include "engine/cpu/conv/weight_cache.h"

namespace engine {
namespace {

using dnnl::memory;
using Desc = memory::desc;
using Dims = memory::dims;

// One engine and stream a thread, as a context is.
struct Library {
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream{engine};
};

Library& library() {
  thread_local Library lib;
  return lib;
}

// Runs f, which asks oneDNN for `what` of two tensors; its refusal becomes an Error.
template <class F>
void guarded(const char* what, const Tensor& a, const Tensor& b, F&& f) {
  try {
    f();
  } catch (const dnnl::error& error) {
    fail("oneDNN: ", what, " of ", a.shape(), " and ", b.shape(), " failed with status ",
         static_cast<int>(error.status), ": ", error.what());
  }
}

Dims dims_of(const Shape& shape) { return {shape.begin(), shape.end()}; }

Desc plain_desc(const Dims& dims) {
  Dims strides(dims.size(), 1);
  for (size_t i = dims.size(); i-- > 1;) strides[i - 1] = strides[i] * dims[i];
  return {dims, memory::data_type::f32, strides};
}

Desc activation_desc(const Shape& shape, Layout layout) {
  using Tag = memory::format_tag;
  constexpr Tag tags[] = {Tag::nchw, Tag::nhwc, Tag::nChw8c, Tag::nChw16c};
  return {dims_of(shape), memory::data_type::f32, tags[static_cast<int>(layout)]};
}

Desc preferred_desc(const Shape& shape) {
  return activation_desc(shape, activation_layout(kCpu, DType::f32, shape[1]));
}

Desc any_desc(const Dims& dims) { return {dims, memory::data_type::f32, memory::format_tag::any}; }

Dims weight_dims(const Shape& w, int64_t groups) {
  if (groups == 1) return dims_of(w);
  return {groups, w[0] / groups, w[1], w[2], w[3]};
}

memory memory_of(const Desc& desc, const Tensor& t) {
  return {desc, library().engine, const_cast<void*>(t.raw())};  // oneDNN has no const memory
}

memory writable_memory_of(const Desc& desc, Tensor& t) { return {desc, library().engine, t.raw()}; }

// Uninitialised memory for a descriptor, in a tensor that must outlive its use.
Tensor room_for(const Desc& desc) {
  return Tensor({static_cast<int64_t>(desc.get_size())}, DType::u8);
}

void reorder(memory from, memory to) {
  dnnl::reorder(from, to).execute(library().stream, from, to);
}

// What is kept of a problem: the primitive and the layouts it wants.
struct Plan {
  dnnl::primitive primitive;
  Desc src, weights, dst, scratchpad;
};

using Key = std::vector<int64_t>;

template <class Make>
const Plan& plan_of(const Key& key, Make&& make) {
  thread_local std::map<Key, Plan> plans;
  const auto found = plans.find(key);
  if (found != plans.end()) return found->second;
  return plans.emplace(key, make()).first->second;
}

enum Kind : int64_t {
  kForward,
  kForwardBias,
  kBackwardData,
  kBackwardWeights,
  kBackwardBoth,
  kMatmul
};

Key conv_key(Kind kind, const Shape& x, const Shape& w, const Conv2dOptions& o) {
  Key key = {kind, o.stride, o.padding, o.dilation, o.groups};
  key.insert(key.end(), x.begin(), x.end());
  key.insert(key.end(), w.begin(), w.end());
  return key;
}

dnnl::primitive_attr attributes() {
  dnnl::primitive_attr attr;
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attr;
}

// A convolution's arguments in oneDNN's terms.
struct ConvProblem {
  Desc src, weights, bias, dst;
  Dims strides, dilates, padding;

  ConvProblem(const Shape& x, const Shape& w, const Conv2dOptions& o, bool with_bias)
      : src(preferred_desc(x)),
        weights(any_desc(weight_dims(w, o.groups))),
        bias(with_bias ? plain_desc({w[0]}) : Desc()),
        dst(preferred_desc(conv2d_output_shape(x, w, o))),
        strides{o.stride, o.stride},
        dilates{o.dilation - 1, o.dilation - 1},
        padding{o.padding, o.padding} {}

  ConvProblem in_any_layout() const {
    ConvProblem free = *this;
    free.src = any_desc(src.dims());
    free.dst = any_desc(dst.dims());
    return free;
  }

  dnnl::convolution_forward::primitive_desc forward() const {
    return {{dnnl::prop_kind::forward_training, dnnl::algorithm::convolution_direct, src, weights,
             bias, dst, strides, dilates, padding, padding},
            attributes(),
            library().engine};
  }
  dnnl::convolution_backward_data::primitive_desc backward_data() const {
    return {{dnnl::algorithm::convolution_direct, src, weights, dst, strides, dilates, padding,
             padding},
            attributes(),
            library().engine,
            forward()};
  }
  dnnl::convolution_backward_weights::primitive_desc backward_weights() const {
    return {{dnnl::algorithm::convolution_direct, src, weights, bias, dst, strides, dilates,
             padding, padding},
            attributes(),
            library().engine,
            forward()};
  }
};

bool is_reference(const dnnl::primitive_desc_base& pd) {
  return std::string_view(pd.impl_info_str()).starts_with("ref");
}

// The primitive for the layouts the engine keeps activations in. For some problems oneDNN has only
// its reference loops in those (the gradient of a 3-channel image, groups narrower than a block,
// blocked channels in and plain ones out): reordering into the layouts of its choice is many times
// faster.
template <class PrimitiveDesc>
PrimitiveDesc best(const ConvProblem& problem, PrimitiveDesc (ConvProblem::*describe)() const) {
  const PrimitiveDesc kept = (problem.*describe)();
  if (!is_reference(kept)) return kept;
  const PrimitiveDesc free = (problem.in_any_layout().*describe)();
  return is_reference(free) ? kept : free;
}

// An activation in the layout a primitive wants: the tensor itself or a reordered copy.
struct Input {
  Input(CpuContext& ctx, const Tensor& t, const Desc& wanted) : tensor(t) {
    const Desc have = activation_desc(t.shape(), t.layout());
    if (have != wanted) {
      ++ctx.counters.reorders;
      tensor = room_for(wanted);
      reorder(memory_of(have, t), memory_of(wanted, tensor));
    }
    mem = memory_of(wanted, tensor);
  }
  Tensor tensor;
  memory mem;
};

// Where a primitive writes: the tensor itself, or memory that finish() reorders into it.
struct Output {
  Output(Tensor& t, const Desc& have, const Desc& wanted)
      : direct(have == wanted),
        tensor(direct ? t : room_for(wanted)),
        mem(writable_memory_of(wanted, tensor)),
        target(writable_memory_of(have, t)) {}
  void finish() {
    if (!direct) reorder(mem, target);
  }
  bool direct;
  Tensor tensor;
  memory mem, target;
};

Output activation_output(CpuContext& ctx, Tensor& t, const Desc& wanted) {
  Output out(t, activation_desc(t.shape(), t.layout()), wanted);
  if (!out.direct) ++ctx.counters.reorders;
  return out;
}

struct PackedWeights {
  PackedWeights(CpuContext& ctx, const Tensor& w, int64_t groups, const Plan& plan) : tensor(w) {
    const Desc have = plain_desc(weight_dims(w.shape(), groups));
    if (have != plan.weights) {
      const WeightForm form = {kLibraryForm, reinterpret_cast<intptr_t>(&plan)};
      const int64_t floats = static_cast<int64_t>(plan.weights.get_size() / sizeof(float));
      tensor = packed_weight(ctx, w, form, floats, [&](Tensor& packed) {
        reorder(memory_of(have, w), writable_memory_of(plan.weights, packed));
      });
    }
    mem = memory_of(plan.weights, tensor);
  }
  Tensor tensor;
  memory mem;
};

void execute(const Plan& plan, std::unordered_map<int, memory> arguments) {
  const Tensor scratch = room_for(plan.scratchpad);
  arguments[DNNL_ARG_SCRATCHPAD] = memory_of(plan.scratchpad, scratch);
  plan.primitive.execute(library().stream, arguments);
  library().stream.wait();
}

// [.., rows, columns] as stored, seen as its transpose where asked.
Desc matrix_desc(const Tensor& t, bool transposed) {
  Dims dims = dims_of(t.shape()), strides(dims.size(), 1);
  for (size_t i = dims.size(); i-- > 1;) strides[i - 1] = strides[i] * dims[i];
  if (transposed) {
    std::swap(dims[dims.size() - 2], dims[dims.size() - 1]);
    std::swap(strides[dims.size() - 2], strides[dims.size() - 1]);
  }
  return {dims, memory::data_type::f32, strides};
}

}  // namespace

void onednn_conv_forward(CpuContext& ctx, const Tensor& x, const Tensor& w, const Tensor& bias,
                         const Conv2dOptions& options, Tensor& y) {
  guarded("convolution forward", x, w, [&] {
    const Kind kind = bias.defined() ? kForwardBias : kForward;
    const Plan& plan = plan_of(conv_key(kind, x.shape(), w.shape(), options), [&] {
      const ConvProblem problem(x.shape(), w.shape(), options, bias.defined());
      const auto pd = best(problem, &ConvProblem::forward);
      return Plan{dnnl::convolution_forward(pd), pd.src_desc(), pd.weights_desc(), pd.dst_desc(),
                  pd.scratchpad_desc()};
    });
    const Input src(ctx, x, plan.src);
    const PackedWeights weights(ctx, w, options.groups, plan);
    Output dst = activation_output(ctx, y, plan.dst);
    std::unordered_map<int, memory> arguments = {
        {DNNL_ARG_SRC, src.mem}, {DNNL_ARG_WEIGHTS, weights.mem}, {DNNL_ARG_DST, dst.mem}};
    if (bias.defined()) arguments[DNNL_ARG_BIAS] = memory_of(plain_desc({w.shape()[0]}), bias);
    execute(plan, arguments);
    dst.finish();
  });
}

void onednn_conv_backward_data(CpuContext& ctx, const Tensor& dy, const Tensor& w,
                               const Conv2dOptions& options, Tensor& dx) {
  guarded("convolution backward to data", dy, w, [&] {
    const Plan& plan = plan_of(conv_key(kBackwardData, dx.shape(), w.shape(), options), [&] {
      const ConvProblem problem(dx.shape(), w.shape(), options, false);
      const auto pd = best(problem, &ConvProblem::backward_data);
      return Plan{dnnl::convolution_backward_data(pd), pd.diff_src_desc(), pd.weights_desc(),
                  pd.diff_dst_desc(), pd.scratchpad_desc()};
    });
    const Input diff_dst(ctx, dy, plan.dst);
    const PackedWeights weights(ctx, w, options.groups, plan);
    Output diff_src = activation_output(ctx, dx, plan.src);
    execute(plan, {{DNNL_ARG_DIFF_DST, diff_dst.mem},
                   {DNNL_ARG_WEIGHTS, weights.mem},
                   {DNNL_ARG_DIFF_SRC, diff_src.mem}});
    diff_src.finish();
  });
}

void onednn_conv_backward_weights(CpuContext& ctx, const Tensor& x, const Tensor& dy,
                                  const Conv2dOptions& options, Tensor& dw, Tensor& db) {
  guarded("convolution backward to weights", x, dy, [&] {
    const Kind kind = db.defined() ? kBackwardBoth : kBackwardWeights;
    const Plan& plan = plan_of(conv_key(kind, x.shape(), dw.shape(), options), [&] {
      const ConvProblem problem(x.shape(), dw.shape(), options, db.defined());
      const auto pd = best(problem, &ConvProblem::backward_weights);
      return Plan{dnnl::convolution_backward_weights(pd), pd.src_desc(), pd.diff_weights_desc(),
                  pd.diff_dst_desc(), pd.scratchpad_desc()};
    });
    const Input src(ctx, x, plan.src), diff_dst(ctx, dy, plan.dst);
    Output weights(dw, plain_desc(weight_dims(dw.shape(), options.groups)), plan.weights);
    std::unordered_map<int, memory> arguments = {{DNNL_ARG_SRC, src.mem},
                                                 {DNNL_ARG_DIFF_DST, diff_dst.mem},
                                                 {DNNL_ARG_DIFF_WEIGHTS, weights.mem}};
    if (db.defined()) {
      arguments[DNNL_ARG_DIFF_BIAS] = writable_memory_of(plain_desc({dw.shape()[0]}), db);
    }
    execute(plan, arguments);
    weights.finish();
  });
}

void onednn_matmul(CpuContext&, const Tensor& a, const Tensor& b, MatmulOptions options,
                   Tensor& c) {
  guarded("matrix product", a, b, [&] {
    Key key = {kMatmul, options.transpose_a, options.transpose_b, a.shape().axes()};
    for (const Tensor* t : {&a, &b}) key.insert(key.end(), t->shape().begin(), t->shape().end());
    const Plan& plan = plan_of(key, [&] {
      const dnnl::matmul::desc desc(matrix_desc(a, options.transpose_a),
                                    matrix_desc(b, options.transpose_b), matrix_desc(c, false));
      const dnnl::matmul::primitive_desc pd(desc, attributes(), library().engine);
      return Plan{dnnl::matmul(pd), pd.src_desc(), pd.weights_desc(), pd.dst_desc(),
                  pd.scratchpad_desc()};
    });
    execute(plan, {{DNNL_ARG_SRC, memory_of(plan.src, a)},
                   {DNNL_ARG_WEIGHTS, memory_of(plan.weights, b)},
                   {DNNL_ARG_DST, writable_memory_of(plan.dst, c)}});
  });
}

}  // namespace engine
