#include "pixpro/method/losses.h"

namespace pixpro {

using autograd::Gradients;
using autograd::record;
using autograd::save;
using engine::on_device;

namespace {

Tensor scalar_like(const Tensor& t) { return Tensor({}, t.dtype(), t.device()); }

Tensor image_rows(const Tensor& similarity) {
  return Tensor({similarity.shape()[0], kColumns}, engine::DType::f64, similarity.device());
}

}  // namespace

Var pixpro_loss(const Var& similarity, const PixelPairs& pairs, Tensor& images) {
  const Tensor& s = similarity.value();
  Tensor loss = scalar_like(s);
  images = image_rows(s);
  on_device(s.device(), [&](auto& ctx) { pixpro_loss_forward(ctx, s, pairs, images, loss); });
  return record("pixpro_loss", {similarity}, loss, save(images),
                [pairs, shape = s.shape()](const Tensor& dloss, const Tensor& rows) -> Gradients {
                  Tensor ds(shape, dloss.dtype(), dloss.device());
                  on_device(dloss.device(),
                            [&](auto& ctx) { pixpro_loss_backward(ctx, dloss, rows, pairs, ds); });
                  return {ds};
                });
}

Var pixcontrast_loss(const Var& similarity, const PixelPairs& pairs, double tau, Tensor& images) {
  const Tensor& s = similarity.value();
  Tensor loss = scalar_like(s);
  images = image_rows(s);
  on_device(s.device(),
            [&](auto& ctx) { pixcontrast_loss_forward(ctx, s, pairs, tau, images, loss); });
  return record("pixcontrast_loss", {similarity}, loss, save(s),
                [pairs, tau](const Tensor& dloss, const Tensor& cosines) -> Gradients {
                  Tensor ds = empty_like(cosines);
                  on_device(dloss.device(), [&](auto& ctx) {
                    pixcontrast_loss_backward(ctx, dloss, cosines, pairs, tau, ds);
                  });
                  return {ds};
                });
}

Var mean_dot(const Var& a, const Tensor& b) {
  Tensor loss = scalar_like(b);
  on_device(b.device(), [&](auto& ctx) { mean_dot_forward(ctx, a.value(), b, loss); });
  return record(
      "mean_dot", {a}, loss, save(b), [](const Tensor& dloss, const Tensor& fixed) -> Gradients {
        Tensor da = empty_like(fixed);
        on_device(fixed.device(), [&](auto& ctx) { mean_dot_backward(ctx, dloss, fixed, da); });
        return {da};
      });
}

}  // namespace pixpro
