// The losses as tape ops. Each direction of the published loss is one half of a stacked batch.
#pragma once

#include "autograd/ops.h"
#include "pixpro/method/kernels.h"

namespace pixpro {

using autograd::Var;

// similarity: [M,P,P] -> mean over the images of the mean similarity of the positive pairs, in
// [-1,1]. `images` receives the per-image sums (kernels.h).
Var pixpro_loss(const Var& similarity, const PixelPairs& pairs, Tensor& images);

// similarity: [M,P,P] -> mean over the images of the pixel-level InfoNCE.
Var pixcontrast_loss(const Var& similarity, const PixelPairs& pairs, double tau, Tensor& images);

// a: [M,C], b: [M,C] a constant -> mean over the rows of a . b.
Var mean_dot(const Var& a, const Tensor& b);

}  // namespace pixpro
