// The method's own kernels: the pixel losses, which take the similarities of two views' pixels and
// work out the positive pairs (bins.h) themselves, and the instance loss.
//
// similarity: [M,P,P], plain: the cosine of pixel i of the query view and pixel j of the key view.
// images: [M,4] f64, one row per image (see Column). loss, dloss: one element in the type of
// similarity.
#pragma once

#include "engine/context.h"
#include "pixpro/method/bins.h"

namespace pixpro {

using engine::CpuContext;
using engine::CudaContext;
using engine::Tensor;

struct PixelPairs {
  Tensor boxes_q, boxes_k;  // [M,4] f64: x0, y0, x1, y1 of the query and the key view
  PixelGrid grid;
  double pos_ratio = 0.7;
};

enum Column { kTerm, kPositives, kPositiveSum, kOtherSum, kColumns };
// kTerm:        the image's term; the loss is the mean of the terms
// kPositives:   number of positive pairs
// kPositiveSum: sum of the similarities of positive pairs; kOtherSum: of all others

// term = sum over positive pairs / (number of positive pairs + 1e-6); 0 without any.
void pixpro_loss_forward(CpuContext&, const Tensor& similarity, const PixelPairs& pairs,
                         Tensor& images, Tensor& loss);
void pixpro_loss_forward(CudaContext&, const Tensor& similarity, const PixelPairs& pairs,
                         Tensor& images, Tensor& loss);
void pixpro_loss_backward(CpuContext&, const Tensor& dloss, const Tensor& images,
                          const PixelPairs& pairs, Tensor& dsimilarity);
void pixpro_loss_backward(CudaContext&, const Tensor& dloss, const Tensor& images,
                          const PixelPairs& pairs, Tensor& dsimilarity);

// term = mean, over the query pixels i that have a positive, of
//   -log(sum_positive exp(similarity_ij / tau) / sum_all exp(similarity_ij / tau)); 0 without any.
void pixcontrast_loss_forward(CpuContext&, const Tensor& similarity, const PixelPairs& pairs,
                              double tau, Tensor& images, Tensor& loss);
void pixcontrast_loss_forward(CudaContext&, const Tensor& similarity, const PixelPairs& pairs,
                              double tau, Tensor& images, Tensor& loss);
void pixcontrast_loss_backward(CpuContext&, const Tensor& dloss, const Tensor& similarity,
                               const PixelPairs& pairs, double tau, Tensor& dsimilarity);
void pixcontrast_loss_backward(CudaContext&, const Tensor& dloss, const Tensor& similarity,
                               const PixelPairs& pairs, double tau, Tensor& dsimilarity);

// loss = mean over the rows of a . b; a, b: [M,C].
void mean_dot_forward(CpuContext&, const Tensor& a, const Tensor& b, Tensor& loss);
void mean_dot_forward(CudaContext&, const Tensor& a, const Tensor& b, Tensor& loss);
// da = dloss / M * b.
void mean_dot_backward(CpuContext&, const Tensor& dloss, const Tensor& b, Tensor& da);
void mean_dot_backward(CudaContext&, const Tensor& dloss, const Tensor& b, Tensor& da);

// What the kernels of every device check first. `op` begins the message. In a backward `similarity`
// is its gradient.
void check_pairs(const char* op, const Tensor& similarity, const PixelPairs& pairs);

}  // namespace pixpro
