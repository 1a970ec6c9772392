// Masks of the positive pairs of two views (bins.h), on the CPU.
#pragma once

#include "engine/tensor.h"
#include "pixpro/method/bins.h"

namespace pixpro {

using engine::Tensor;

// Fills mask[P * P] for one image: mask[i * P + j] is 1 if pixel i of the box q and pixel j of the
// box k are a positive pair, otherwise 0.
void fill_positive_mask(const double* box_q, const double* box_k, PixelGrid grid, double pos_ratio,
                        uint8_t* mask);

// [M,P,P] u8, from the boxes [M,4] f64 of both views.
Tensor positive_mask(const Tensor& boxes_q, const Tensor& boxes_k, PixelGrid grid,
                     double pos_ratio);

}  // namespace pixpro
