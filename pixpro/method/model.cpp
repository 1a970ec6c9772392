#include "pixpro/method/model.h"

#include <cmath>

#include "autograd/lockstep.h"
#include "engine/on_two_threads.h"
#include "engine/tensor_ops.h"
#include "pixpro/method/losses.h"

namespace pixpro {
namespace {

const ModelOptions& checked(const ModelOptions& o) {
  engine::require(std::isfinite(o.pos_ratio) && o.pos_ratio > 0.0,
                  "model: expected a pos_ratio above 0, found ", o.pos_ratio);
  engine::require(std::isfinite(o.temperature) && o.temperature > 0.0,
                  "model: expected a temperature above 0, found ", o.temperature);
  engine::require(std::isfinite(o.instance_weight) && o.instance_weight >= 0.0,
                  "model: expected an instance loss weight of 0 or more, found ",
                  o.instance_weight);
  engine::require(!o.contrast || o.propagation.transform_layers == 0,
                  "model: PixContrast has no propagation, so it needs 0 transform layers, found ",
                  o.propagation.transform_layers);
  return o;
}

// A stack of two views in the order view 2, view 1.
Tensor exchange_views(const Tensor& stack) {
  const int64_t n = stack.shape()[0] / 2;
  return engine::concatenate_rows({stack.rows(n, n), stack.rows(0, n)});
}

// [N,C,H,W] -> [N,C], L2-normalised; bf16 and f16 become f32.
Var instance_vector(const Var& x) {
  const Var exact = cast(x, engine::at_least_f32(x.value().dtype()));
  return l2_normalize(global_average_pool(exact));
}

}  // namespace

Model::Model(const ModelOptions& options, Init& init)
    : options_(checked(options)),
      encoder_(options.arch, init),
      projector_(encoder_.out_channels(), options.hidden_channels, options.out_channels, init),
      encoder_k_(options.arch, init),
      projector_k_(encoder_.out_channels(), options.hidden_channels, options.out_channels, init) {
  add_child("encoder", encoder_);
  add_child("encoder_k", encoder_k_);
  add_child("projector", projector_);
  add_child("projector_k", projector_k_);
  encoder_pairs_ = {{"encoder", &encoder_, &encoder_k_}, {"projector", &projector_, &projector_k_}};
  if (!options.contrast) {
    propagation_ = std::make_unique<Propagation>(options.out_channels, options.propagation, init);
    add_child("value_transform", *propagation_);
  }
  if (options.instance_weight > 0.0) {
    const int64_t hidden = options.hidden_channels, out = options.out_channels;
    projector_instance_ = std::make_unique<Mlp>(encoder_.out_channels(), hidden, out, init);
    projector_instance_k_ = std::make_unique<Mlp>(encoder_.out_channels(), hidden, out, init);
    predictor_ = std::make_unique<Mlp>(out, hidden, out, init);
    add_child("projector_instance", *projector_instance_);
    add_child("projector_instance_k", *projector_instance_k_);
    add_child("predictor", *predictor_);
    encoder_pairs_.push_back(
        {"projector_instance", projector_instance_.get(), projector_instance_k_.get()});
  }
  for (const Pair& pair : encoder_pairs_) {
    copy_parameters(*pair.online, *pair.momentum);
    pair.momentum->freeze();
  }
}

Model::Output Model::forward(const Tensor& views, const Tensor& boxes, const BranchLanes& lanes) {
  const int64_t stacked = views.shape().axes() == 4 ? views.shape()[0] : 0;
  engine::require(stacked >= 2 && stacked % 2 == 0 && boxes.shape() == engine::Shape{stacked, 4},
                  "model: expected views [2N,3,H,W] and boxes [2N,4], found ", views.shape(),
                  " and ", boxes.shape());
  const Mode mode{.training = true, .parts = 2, .ranks = lanes.online};
  const Mode target_mode{.training = true, .parts = 2, .ranks = lanes.target};

  Var features, projected, online;
  Target target;
  const auto run_online_branch = [&] {
    features = encoder_.forward(Var(views), mode);
    projected = projector_.forward(features, mode);
    online = l2_normalize(options_.contrast ? flatten_pixels(projected)
                                            : propagation_->forward(projected, mode));
  };
  const auto run_target_branch = [&] { target = target_branch(views, target_mode); };
  if (lanes.online != nullptr && views.device() != engine::kCpu) {
    autograd::in_lockstep(run_online_branch, run_target_branch);
  } else {
    engine::on_two_threads(views.device(), run_online_branch, run_target_branch);
  }

  Output out{.loss = {},
             .pairs = {},
             .features = online.value(),
             .grid = {projected.shape()[2], projected.shape()[3]}};
  const PixelPairs pairs{.boxes_q = boxes,
                         .boxes_k = exchange_views(boxes),
                         .grid = out.grid,
                         .pos_ratio = options_.pos_ratio};
  const Var similarity = matmul(online, Var(target.pixels), {.transpose_a = true});
  // The mean over the 2N rows is half the sum of the two directions' means.
  out.loss = options_.contrast
                 ? pixcontrast_loss(similarity, pairs, options_.temperature, out.pairs)
                 : scale(pixpro_loss(similarity, pairs, out.pairs), -4.0);
  if (predictor_) out.loss = add(out.loss, instance_loss(features, target.instances, mode));
  return out;
}

Model::Target Model::target_branch(const Tensor& views, const Mode& mode) {
  const autograd::NoGrad constant;
  Target target;
  const Var features = encoder_k_.forward(Var(views), mode);
  const Var pixels = l2_normalize(flatten_pixels(projector_k_.forward(features, mode)));
  target.pixels = exchange_views(pixels.value());
  if (projector_instance_k_) {
    const Var instances = instance_vector(projector_instance_k_->forward(features, mode));
    target.instances = exchange_views(instances.value());
  }
  return target;
}

// -2 w (mean of p1 . z2 + mean of p2 . z1)
Var Model::instance_loss(const Var& features, const Tensor& target, const Mode& mode) {
  const Var predicted = predictor_->forward(projector_instance_->forward(features, mode), mode);
  return scale(mean_dot(instance_vector(predicted), target), -4.0 * options_.instance_weight);
}

std::vector<layers::NamedTensor> Model::momentum_encoder() const {
  std::vector<layers::NamedTensor> all;
  for (const Pair& pair : encoder_pairs_) {
    const auto online = pair.online->parameters(), momentum = pair.momentum->parameters();
    for (size_t i = 0; i < online.size(); ++i) {
      all.push_back({pair.name + "." + online[i].name, momentum[i].var.value()});
    }
  }
  return all;
}

}  // namespace pixpro
