#include "layers/optim/sgd.h"

#include <algorithm>

#include "engine/tensor_ops.h"

namespace layers {
namespace {

void update(std::vector<engine::ParameterUpdate>& updates, const engine::SgdOptions& options) {
  if (updates.empty()) return;
  engine::on_device(updates.front().parameter.device(),
                    [&](auto& ctx) { sgd_update(ctx, updates, options); });
}

}  // namespace

Sgd::Sgd(const std::vector<NamedVar>& parameters, const SgdSettings& settings,
         const std::vector<NamedTensor>& followers)
    : settings_(settings) {
  for (const NamedVar& p : parameters) {
    if (!p.var.needs_grad()) continue;
    entries_.push_back({p.name, p.var, engine::zeros_like(p.var.value())});
  }
  for (const NamedTensor& follower : followers) {
    const auto followed = std::ranges::find(entries_, follower.name, &Entry::name);
    engine::require(followed != entries_.end(), "sgd: there is a follower of '", follower.name,
                    "', which is not a trained parameter");
    followed->follower = follower.tensor;
  }
}

std::vector<Tensor> Sgd::gradients() const {
  std::vector<Tensor> all;
  for (const Entry& entry : entries_) {
    if (entry.parameter.grad().defined()) all.push_back(entry.parameter.grad());
  }
  return all;
}

std::vector<NamedTensor> Sgd::momentum() const {
  std::vector<NamedTensor> all;
  for (const Entry& entry : entries_) all.push_back({entry.name, entry.momentum});
  return all;
}

void Sgd::step(double learning_rate, const Tensor& skip, const Tensor& gradient_scale,
               std::optional<double> follow) {
  std::vector<engine::ParameterUpdate> updates;
  for (const auto& [name, parameter, momentum, follower] : entries_) {
    const bool follows = follow && follower.defined();
    if (!parameter.grad().defined() && !follows) continue;
    const bool decay = !settings_.lars || parameter.shape().axes() > 1;
    updates.push_back(
        {parameter.value(), parameter.grad(), momentum, decay, follows ? follower : Tensor()});
  }
  update(updates, {.learning_rate = learning_rate,
                   .momentum = settings_.momentum,
                   .weight_decay = settings_.weight_decay,
                   .trust = settings_.lars ? settings_.trust : 0.0,
                   .eps = settings_.eps,
                   .follow = follow.value_or(1.0),
                   .skip = skip,
                   .gradient_scale = gradient_scale});
  for (Entry& entry : entries_) entry.parameter.clear_grad();
}

void Sgd::follow(double momentum) {
  std::vector<engine::ParameterUpdate> updates;
  for (const Entry& entry : entries_) {
    if (!entry.follower.defined()) continue;
    updates.push_back({.parameter = entry.parameter.value(), .follower = entry.follower});
  }
  update(updates, {.follow = momentum});
}

}  // namespace layers
