#include "layers/optim/sgd.h"

#include "engine/tensor_ops.h"

namespace layers {

Sgd::Sgd(const std::vector<NamedVar>& parameters, const SgdSettings& settings)
    : settings_(settings) {
  for (const NamedVar& p : parameters) {
    if (!p.var.needs_grad()) continue;
    entries_.push_back({p.name, p.var, engine::zeros_like(p.var.value())});
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

void Sgd::step(double learning_rate, const Tensor& skip, const Tensor& gradient_scale) {
  std::vector<engine::ParameterUpdate> updates;
  for (const auto& [name, parameter, momentum] : entries_) {
    if (!parameter.grad().defined()) continue;
    const bool decay = !settings_.lars || parameter.shape().rank() > 1;
    updates.push_back({parameter.value(), parameter.grad(), momentum, decay});
  }
  if (updates.empty()) return;
  engine::on_device(updates.front().parameter.device(), [&](auto& ctx) {
    sgd_update(ctx, updates,
               {.learning_rate = learning_rate,
                .momentum = settings_.momentum,
                .weight_decay = settings_.weight_decay,
                .trust = settings_.lars ? settings_.trust : 0.0,
                .eps = settings_.eps,
                .skip = skip,
                .gradient_scale = gradient_scale});
  });
  for (Entry& entry : entries_) entry.parameter.clear_grad();
}

}  // namespace layers
