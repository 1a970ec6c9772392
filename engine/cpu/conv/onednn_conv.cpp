#include "engine/cpu/conv/onednn_conv.h"

#include <string_view>

#include "engine/cpu/conv/weight_cache.h"
#include "engine/cpu/onednn.h"

namespace engine {
namespace {

using dnnl::memory;
using dnnl::prop_kind;
using Desc = memory::desc;
using Dims = memory::dims;
using Arguments = std::unordered_map<int, memory>;

Desc activation_desc(const Shape& shape, Layout layout) {
  using Tag = memory::format_tag;
  constexpr Tag tags[] = {Tag::nchw, Tag::nhwc, Tag::nChw8c, Tag::nChw16c};
  return {onednn_dims(shape), memory::data_type::f32, tags[static_cast<int>(layout)]};
}

Desc any_desc(const Dims& dims) { return {dims, memory::data_type::f32, memory::format_tag::any}; }

Dims weight_dims(const Shape& w, int64_t groups) {
  if (groups == 1) return onednn_dims(w);
  return {groups, w[0] / groups, w[1], w[2], w[3]};
}

// A convolution in oneDNN's terms.
struct OnednnConv {
  Shape x, w;
  Conv2dOptions options;
  bool has_bias;
  bool any_layout = false;  // oneDNN chooses the layout of activations, not the engine

  OnednnKey key(prop_kind kind) const {
    OnednnKey key = {static_cast<int64_t>(dnnl::primitive::kind::convolution),
                     static_cast<int64_t>(kind),
                     has_bias,
                     options.stride,
                     options.padding,
                     options.dilation,
                     options.groups};
    key.insert(key.end(), x.begin(), x.end());
    key.insert(key.end(), w.begin(), w.end());
    return key;
  }

  dnnl::convolution_forward::primitive_desc forward() const {
    return describe<dnnl::convolution_forward>(
        prop_kind::forward_training, dnnl::algorithm::convolution_direct, src(), weights(), bias(),
        dst(), strides(), dilates(), padding(), padding());
  }
  dnnl::convolution_backward_data::primitive_desc backward_data() const {
    return describe_backward<dnnl::convolution_backward_data>(
        forward(), dnnl::algorithm::convolution_direct, src(), weights(), dst(), strides(),
        dilates(), padding(), padding());
  }
  dnnl::convolution_backward_weights::primitive_desc backward_weights() const {
    return describe_backward<dnnl::convolution_backward_weights>(
        forward(), dnnl::algorithm::convolution_direct, src(), weights(), bias(), dst(), strides(),
        dilates(), padding(), padding());
  }

 private:
  Desc activation(const Shape& shape) const {
    if (any_layout) return any_desc(onednn_dims(shape));
    return activation_desc(shape, activation_layout(kCpu, DType::f32, shape[1]));
  }
  Desc src() const { return activation(x); }
  Desc dst() const { return activation(conv2d_output_shape(x, w, options)); }
  Desc weights() const { return any_desc(weight_dims(w, options.groups)); }
  Desc bias() const { return has_bias ? row_major_desc({w[0]}) : Desc(); }
  Dims strides() const { return {options.stride, options.stride}; }
  Dims dilates() const { return {options.dilation - 1, options.dilation - 1}; }
  Dims padding() const { return {options.padding, options.padding}; }
};

bool is_reference(const dnnl::primitive_desc_base& pd) {
  return std::string_view(pd.impl_info_str()).starts_with("ref");
}

// The primitive for the layouts in which the engine keeps activations. For some problems oneDNN
// has only its reference loops in those: the gradient of a 3-channel image, groups narrower than a
// block, blocked channels in and plain ones out. Reordering into layouts of its choice is many
// times faster then.
template <class PrimitiveDesc>
PrimitiveDesc best(OnednnConv problem, PrimitiveDesc (OnednnConv::*describe)() const) {
  const PrimitiveDesc kept = (problem.*describe)();
  if (!is_reference(kept)) return kept;
  problem.any_layout = true;
  const PrimitiveDesc free = (problem.*describe)();
  return is_reference(free) ? kept : free;
}

// An activation in the layout a primitive wants: the tensor itself or a reordered copy.
struct Input {
  Input(CpuContext& ctx, const Tensor& t, const Desc& wanted) : tensor(t) {
    const Desc have = activation_desc(t.shape(), t.layout());
    if (have != wanted) {
      ++ctx.counters.reorders;
      tensor = onednn_storage(wanted);
      onednn_reorder(onednn_memory(have, t), onednn_memory(wanted, tensor));
    }
    mem = onednn_memory(wanted, tensor);
  }
  Tensor tensor;
  memory mem;
};

// Where a primitive writes: the tensor itself, or memory that finish() reorders into it.
struct Output {
  Output(Tensor& t, const Desc& have, const Desc& wanted)
      : direct(have == wanted),
        tensor(direct ? t : onednn_storage(wanted)),
        mem(writable_onednn_memory(wanted, tensor)),
        target(writable_onednn_memory(have, t)) {}
  void finish() {
    if (!direct) onednn_reorder(mem, target);
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

// A weight in the layout of a plan: the tensor itself or a packed copy. The address of the plan
// names the form in the weight cache, which belongs to the same thread as the plan.
struct PackedWeights {
  PackedWeights(CpuContext& ctx, const Tensor& w, int64_t groups, const OnednnPlan& plan)
      : tensor(w) {
    const Desc have = row_major_desc(weight_dims(w.shape(), groups));
    if (have != plan.weights) {
      const WeightForm form = {kLibraryForm, reinterpret_cast<intptr_t>(&plan)};
      const int64_t floats = static_cast<int64_t>(plan.weights.get_size() / sizeof(float));
      tensor = packed_weight(ctx, w, form, floats, [&](Tensor& packed) {
        onednn_reorder(onednn_memory(have, w), writable_onednn_memory(plan.weights, packed));
      });
    }
    mem = onednn_memory(plan.weights, tensor);
  }
  Tensor tensor;
  memory mem;
};

}  // namespace

void onednn_conv_forward(CpuContext& ctx, const Tensor& x, const Tensor& w, const Tensor& bias,
                         const Conv2dOptions& options, Tensor& y) {
  guard_onednn("convolution forward", x, w, [&] {
    const OnednnConv problem{x.shape(), w.shape(), options, bias.defined()};
    const OnednnKey key = problem.key(prop_kind::forward_training);
    const OnednnPlan& plan = onednn_plan(key, [&] {
      const auto pd = best(problem, &OnednnConv::forward);
      return OnednnPlan{dnnl::convolution_forward(pd), pd.src_desc(), pd.weights_desc(),
                        pd.dst_desc(), pd.scratchpad_desc()};
    });
    const Input src(ctx, x, plan.src);
    const PackedWeights weights(ctx, w, options.groups, plan);
    Output dst = activation_output(ctx, y, plan.dst);
    Arguments arguments = {
        {DNNL_ARG_SRC, src.mem}, {DNNL_ARG_WEIGHTS, weights.mem}, {DNNL_ARG_DST, dst.mem}};
    if (bias.defined()) {
      arguments[DNNL_ARG_BIAS] = onednn_memory(row_major_desc({w.shape()[0]}), bias);
    }
    plan.execute(arguments);
    dst.finish();
  });
}

void onednn_conv_backward_data(CpuContext& ctx, const Tensor& dy, const Tensor& w,
                               const Conv2dOptions& options, Tensor& dx) {
  guard_onednn("convolution backward to data", dy, w, [&] {
    const OnednnConv problem{dx.shape(), w.shape(), options, false};
    const OnednnKey key = problem.key(prop_kind::backward_data);
    const OnednnPlan& plan = onednn_plan(key, [&] {
      const auto pd = best(problem, &OnednnConv::backward_data);
      return OnednnPlan{dnnl::convolution_backward_data(pd), pd.diff_src_desc(), pd.weights_desc(),
                        pd.diff_dst_desc(), pd.scratchpad_desc()};
    });
    const Input diff_dst(ctx, dy, plan.dst);
    const PackedWeights weights(ctx, w, options.groups, plan);
    Output diff_src = activation_output(ctx, dx, plan.src);
    plan.execute({{DNNL_ARG_DIFF_DST, diff_dst.mem},
                  {DNNL_ARG_WEIGHTS, weights.mem},
                  {DNNL_ARG_DIFF_SRC, diff_src.mem}});
    diff_src.finish();
  });
}

void onednn_conv_backward_weights(CpuContext& ctx, const Tensor& x, const Tensor& dy,
                                  const Conv2dOptions& options, Tensor& dw, Tensor& db) {
  guard_onednn("convolution backward to weights", x, dy, [&] {
    const OnednnConv problem{x.shape(), dw.shape(), options, db.defined()};
    const OnednnKey key = problem.key(prop_kind::backward_weights);
    const OnednnPlan& plan = onednn_plan(key, [&] {
      const auto pd = best(problem, &OnednnConv::backward_weights);
      return OnednnPlan{dnnl::convolution_backward_weights(pd), pd.src_desc(),
                        pd.diff_weights_desc(), pd.diff_dst_desc(), pd.scratchpad_desc()};
    });
    const Input src(ctx, x, plan.src), diff_dst(ctx, dy, plan.dst);
    Output weights(dw, row_major_desc(weight_dims(dw.shape(), options.groups)), plan.weights);
    Arguments arguments = {{DNNL_ARG_SRC, src.mem},
                           {DNNL_ARG_DIFF_DST, diff_dst.mem},
                           {DNNL_ARG_DIFF_WEIGHTS, weights.mem}};
    if (db.defined()) {
      arguments[DNNL_ARG_DIFF_BIAS] = writable_onednn_memory(row_major_desc({dw.shape()[0]}), db);
    }
    plan.execute(arguments);
    weights.finish();
  });
}

}  // namespace engine
