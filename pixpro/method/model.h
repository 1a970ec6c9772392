// PixPro and PixContrast. The online branch learns to agree with the target branch, which is the
// forward pass of the momentum encoder: a moving average of the online encoder and projectors.
#pragma once

#include <memory>
#include <string>

#include "layers/nn/resnet.h"
#include "pixpro/method/heads.h"
#include "pixpro/method/kernels.h"

namespace pixpro {

struct ModelOptions {
  std::string arch = "resnet50";
  bool contrast = false;  // PixContrast: no propagation, contrastive loss
  PropagationOptions propagation{};
  double pos_ratio = 0.7;        // largest distance of a positive pair, in bin diagonals; > 0
  double temperature = 0.3;      // tau of PixContrast; > 0
  double instance_weight = 0.0;  // weight of the instance loss; 0: no instance branch
  int64_t hidden_channels = 4096;
  int64_t out_channels = 256;
};

// Parameter names are the published ones: encoder.*, projector.*, encoder_k.*, projector_k.*,
// value_transform.* and, with an instance branch, projector_instance.*, projector_instance_k.* and
// predictor.*.
class Model : public layers::Module {
 public:
  // Throws on options outside their ranges. The momentum encoder starts as a copy of the online
  // one.
  Model(const ModelOptions& options, Init& init);

  struct Output {
    Var loss;         // PixPro: in [-4 - 4w, 4 + 4w], w = instance_weight
    Tensor pairs;     // [2N,4] f64: per-image sums over pixel pairs (kernels.h, Column)
    Tensor features;  // [2N,C,P] online features, L2-normalised per pixel
    PixelGrid grid;   // size of the feature maps, P = height * width
  };
  // Lanes on which the ranks that share a batch exchange statistics of batch normalisation. The two
  // branches run at the same time, so each has one. Null: the statistics are this rank's.
  struct BranchLanes {
    engine::Communicator *online = nullptr, *target = nullptr;
  };
  // views: [2N,3,H,W], view 1 of all N images, then view 2. boxes: [2N,4] f64, in the same order.
  // If a batch is spread over ranks, the loss is the mean over this rank's images.
  Output forward(const Tensor& views, const Tensor& boxes, const BranchLanes& lanes);
  Output forward(const Tensor& views, const Tensor& boxes) { return forward(views, boxes, {}); }

  // Every parameter of the momentum encoder under the name of the online parameter that it follows:
  //   key = m * key + (1 - m) * online, once per optimiser step, before forward
  // The momentum encoder's buffers are its own and follow nothing. Shares the model's memory.
  std::vector<layers::NamedTensor> momentum_encoder() const;

 private:
  // What the online branch is compared with. The two views are exchanged: row i belongs to the
  // other view of the image in row i.
  struct Target {
    Tensor pixels;     // [2N,C,P], L2-normalised per pixel
    Tensor instances;  // [2N,C], L2-normalised; undefined without an instance branch
  };
  Target target_branch(const Tensor& views, const Mode& mode);
  Var instance_loss(const Var& features, const Tensor& target, const Mode& mode);

  ModelOptions options_;
  layers::ResNet encoder_;
  Mlp projector_;
  layers::ResNet encoder_k_;
  Mlp projector_k_;
  std::unique_ptr<Propagation> propagation_;
  std::unique_ptr<Mlp> projector_instance_, projector_instance_k_, predictor_;

  struct Pair {
    std::string name;  // of the online module
    Module* online;
    Module* momentum;
  };
  std::vector<Pair>
      encoder_pairs_;  // the modules of the momentum encoder, each with the one it follows
};

}  // namespace pixpro
