// The losses as tape ops. The two directions of the published loss are the two halves of the stack.
#pragma once

#include "autograd/ops.h"
#include "pixpro/method/kernels.h"

namespace pixpro {

using autograd::Var;

// similarity: [M,P,P] -> mean over the images of the mean similarity of their positive pairs, in
// [-1,1]. `images` receives the per-image sums (kernels.h).
Var pixpro_loss(const Var& similarity, const PixelPairs& pairs, Tensor& images);

// similarity: [M,P,P] -> mean over the images of the pixel-level InfoNCE.
Var pixcontrast_loss(const Var& similarity, const PixelPairs& pairs, double tau, Tensor& images);

// a: [M,C], b: [M,C], a constant -> mean over the rows of a . b.
Var mean_dot(const Var& a, const Tensor& b);

}  // namespace pixpro
