#include "engine/cpu/onednn_matmul.h"

#include <numeric>

#include "engine/cpu/onednn.h"

namespace engine {
namespace {

OnednnKey matmul_key(const Shape& a, const Shape& b, MatmulOptions options) {
  OnednnKey key = {static_cast<int64_t>(dnnl::primitive::kind::matmul), options.transpose_a,
                   options.transpose_b, a.axes()};
  key.insert(key.end(), a.begin(), a.end());
  key.insert(key.end(), b.begin(), b.end());
  return key;
}

// A stored matrix or its transpose, of [.., rows, columns].
dnnl::memory::desc matrix_desc(const Shape& stored, bool transposed) {
  const dnnl::memory::desc desc = row_major_desc(onednn_dims(stored));
  if (!transposed) return desc;
  std::vector<int> axes(static_cast<size_t>(stored.axes()));
  std::iota(axes.begin(), axes.end(), 0);
  std::swap(axes[axes.size() - 2], axes[axes.size() - 1]);
  return desc.permute_axes(axes);
}

}  // namespace

void onednn_matmul(const Tensor& a, const Tensor& b, MatmulOptions options, Tensor& c) {
  guard_onednn("matrix product", a, b, [&] {
    const OnednnKey key = matmul_key(a.shape(), b.shape(), options);
    const OnednnPlan& plan = onednn_plan(key, [&] {
      const auto pd = describe<dnnl::matmul>(matrix_desc(a.shape(), options.transpose_a),
                                             matrix_desc(b.shape(), options.transpose_b),
                                             matrix_desc(c.shape(), false));
      return OnednnPlan{dnnl::matmul(pd), pd.src_desc(), pd.weights_desc(), pd.dst_desc(),
                        pd.scratchpad_desc()};
    });
    plan.execute({{DNNL_ARG_SRC, onednn_memory(plan.src, a)},
                  {DNNL_ARG_WEIGHTS, onednn_memory(plan.weights, b)},
                  {DNNL_ARG_DST, writable_onednn_memory(plan.dst, c)}});
  });
}

}  // namespace engine
