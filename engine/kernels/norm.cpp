#include "engine/kernels/norm.h"

namespace engine {
namespace {

constexpr const char* kBackward = "batch_norm backward";

void check_norms(const char* op, const Tensor& x, const Tensor& norms) {
  const Planes planes = planes_of(x);
  require(norms.shape() == Shape{planes.n, planes.pixels} && norms.dtype() == x.dtype(), op,
          ": expected norms ", x.dtype(), " [", planes.n, ",", planes.pixels, "] for x ", x,
          ", found ", norms);
}

}  // namespace

void check_batch_norm_statistics(const char* op, const Tensor& x, const Tensor& statistics) {
  const Shape& s = statistics.shape();
  require(s.axes() == 3 && s[0] >= 1 && s[1] == 2 && s[2] == planes_of(x).channels() &&
              statistics.dtype() == DType::f64,
          op, ": expected statistics f64 [parts,2,C] for x ", x, ", found ", statistics);
  require(x.shape()[0] % s[0] == 0, op, ": a batch of ", x.shape()[0], " does not split into ",
          s[0], " parts");
  require(x.elements() > 0, op, ": x ", x, " has no values");
}

void check_batch_norm_update_running(const Tensor& statistics, const Tensor& running_mean,
                                     const Tensor& running_var) {
  const int64_t channels = statistics.shape()[2];
  require(running_mean.shape() == Shape{channels} && running_var.shape() == Shape{channels},
          "batch_norm: expected running estimates [", channels, "], found ", running_mean.shape(),
          " and ", running_var.shape());
}

void check_batch_norm_apply(const Tensor& x, const Tensor& statistics, const Tensor& residual,
                            const Tensor& y) {
  check_batch_norm_statistics("batch_norm", x, statistics);
  require_same("batch_norm", x, y);
  if (residual.defined()) require_same("batch_norm residual", x, residual);
}

void check_batch_norm_merge(const Tensor& messages, const Tensor& statistics, const Tensor& count) {
  const Shape& s = messages.shape();
  require(s.axes() == 2 && s[1] == statistics.elements() + 1 && messages.dtype() == DType::f64 &&
              count.elements() == 1 && count.dtype() == DType::f64,
          "batch_norm merge: f64 [ranks,", statistics.elements() + 1, "] and [1] expected, found ",
          messages, " and ", count);
}

void check_batch_norm_backward_sums(const BatchNormInputs& in, const Tensor& sums) {
  check_batch_norm_statistics(kBackward, in.x, in.statistics);
  require_same(kBackward, in.x, in.dy);
  if (in.options.relu && in.y.defined()) require_same(kBackward, in.x, in.y);
  require_same(kBackward, in.statistics, sums);
}

void check_batch_norm_backward(const BatchNormInputs& in, const Tensor& sums, const Tensor& dx,
                               const Tensor& dresidual) {
  check_batch_norm_backward_sums(in, sums);
  require_same(kBackward, in.x, dx);
  if (dresidual.defined()) require_same(kBackward, in.x, dresidual);
}

void check_l2_normalize(const Tensor& x, const Tensor& y, const Tensor& norms) {
  require_same("l2_normalize", x, y);
  check_norms("l2_normalize", x, norms);
}

void check_l2_normalize_backward(const Tensor& dy, const Tensor& y, const Tensor& norms,
                                 const Tensor& dx) {
  constexpr const char* kOp = "l2_normalize backward";
  require_same(kOp, y, dy);
  require_same(kOp, y, dx);
  check_norms(kOp, y, norms);
}

}  // namespace engine
