#include "apps/flags/recipe.h"

#include <omp.h>

#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "apps/flags/flag_checks.h"
#include "engine/context.h"

namespace apps {

void add_model_flags(CLI::App& command, Recipe& r) {
  command.add_option("--arch", r.arch, "Backbone")
      ->check(CLI::IsMember(layers::resnet_names()))
      ->capture_default_str();
  command.add_option("--model", r.model, "Method")
      ->check(CLI::IsMember({"PixPro", "PixContrast"}))
      ->capture_default_str();
  command.add_option("--pixpro-p", r.pixpro_p, "Power of the similarity in the propagation")
      ->check(number_in(0.0, 1000.0))
      ->capture_default_str();
  command
      .add_option("--pixpro-momentum", r.pixpro_momentum, "First momentum of the momentum branch")
      ->check(number_in(0.0, 1.0))
      ->capture_default_str();
  command
      .add_option("--pixpro-pos-ratio", r.pixpro_pos_ratio,
                  "Largest distance of a positive pair, in bin diagonals")
      ->check(number_in(1e-12, kLargest))
      ->capture_default_str();
  command.add_option("--pixpro-clamp-value", r.pixpro_clamp_value, "Least similarity propagated")
      ->check(number_in(-kLargest, 1.0))
      ->capture_default_str();
  command
      .add_option("--pixpro-transform-layer", r.pixpro_transform_layer,
                  "Layers of the value transform")
      ->check(CLI::Range(0, 2))
      ->capture_default_str();
  command
      .add_option("--pixpro-ins-loss-weight", r.pixpro_ins_loss_weight,
                  "Weight of the instance loss; 0: no instance branch")
      ->check(number_in(0.0, kLargest))
      ->capture_default_str();
}

void add_optimizer_flags(CLI::App& command, Recipe& r) {
  command.add_option("--optimizer", r.optimizer, "Optimiser")
      ->check(CLI::IsMember({"lars", "sgd"}))
      ->capture_default_str();
  command
      .add_option("--base-lr,--base-learning-rate", r.base_lr,
                  "Learning rate for 256 images a step")
      ->check(number_in(0.0, kLargest))
      ->capture_default_str();
  command.add_option("--weight-decay", r.weight_decay, "Weight decay")
      ->check(number_in(0.0, kLargest))
      ->capture_default_str();
  command.add_option("--momentum", r.momentum, "Momentum of the optimiser")
      ->check(number_in(0.0, 1.0))
      ->capture_default_str();
  command.add_option("--lr-scheduler", r.lr_scheduler, "Decay of the learning rate")
      ->check(CLI::IsMember({"cosine", "step"}))
      ->capture_default_str();
  command.add_option("--epochs", r.epochs, "Passes over the images")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 32))
      ->capture_default_str();
  command.add_option("--warmup-epoch", r.warmup_epoch, "Epochs of linear warm-up")
      ->check(number_in(0.0, 1e9))
      ->capture_default_str();
  command.add_option("--warmup-multiplier", r.warmup_multiplier, "Warm-up starts at 1 / this")
      ->check(number_in(1.0, kLargest))
      ->capture_default_str();
  command
      .add_option("--lr-decay-epochs", r.lr_decay_epochs, "step: epochs at which the rate falls")
      ->delimiter(',')
      ->check(CLI::Range(int64_t{0}, int64_t{1} << 32))
      ->capture_default_str();
  command.add_option("--lr-decay-rate", r.lr_decay_rate, "step: factor by which the rate falls")
      ->check(number_in(0.0, kLargest))
      ->capture_default_str();
}

void add_machine_flags(CLI::App& command, Recipe& r) {
  command.add_option("--seed", r.seed, "Of weights, data order and views")
      ->check(whole_number())
      ->capture_default_str();
  command.add_option("--threads", r.threads, "CPU threads that compute; 0: all cores")
      ->check(CLI::Range(0, 4096))
      ->capture_default_str();
  command.add_option("--device", r.device, "cpu, cuda or cuda:N")->capture_default_str();
  command
      .add_option("--precision", r.precision,
                  "Of convolutions and activations: f32; on CUDA also tf32, bf16, fp16 (mixed "
                  "precision); on the CPU also f64")
      ->check(CLI::IsMember({"f32", "f64", "tf32", "bf16", "fp16"}))
      ->capture_default_str();
  command.add_flag("--cudnn-benchmark", r.cudnn_benchmark,
                   "CUDA: time the candidates for every convolution");
  command.add_flag("--deterministic", r.deterministic,
                   "CUDA: only convolutions that give the same bits in every run");
  command
      .add_option("--conv-algorithm", r.conv_algorithm,
                  "How the CPU convolves float32: auto, or one kind wherever it can")
      ->check(CLI::IsMember({"auto", "direct", "winograd", "library"}))
      ->capture_default_str();
}

engine::DType type_of_precision(const Recipe& r) {
  const bool on_cpu = engine::parse_device(r.device) == engine::kCpu;
  const std::map<std::string, engine::DType> here =
      on_cpu ? std::map<std::string, engine::DType>{{"f32", engine::DType::f32},
                                                    {"f64", engine::DType::f64}}
             : std::map<std::string, engine::DType>{{"f32", engine::DType::f32},
                                                    {"tf32", engine::DType::f32},
                                                    {"bf16", engine::DType::bf16},
                                                    {"fp16", engine::DType::f16}};
  const auto found = here.find(r.precision);
  engine::require(found != here.end(), "precision: ", r.precision, " is for --device ",
                  on_cpu ? "cuda" : "cpu");
  return found->second;
}

pixpro::TrainerOptions trainer_options(const Recipe& r, int64_t batch_size,
                                       const RunLength& length) {
  const bool contrast = r.model == "PixContrast";
  layers::Schedule schedule{
      .base = r.base_lr * static_cast<double>(batch_size) / 256.0,
      .total_steps = length.total_steps,
      .warmup_steps = length.warmup_steps,
      .warmup_multiplier = r.warmup_multiplier,
      .decay = r.lr_scheduler == "step" ? layers::Schedule::Decay::step
                                        : layers::Schedule::Decay::cosine,
      .rate = r.lr_decay_rate,
  };
  for (const int64_t epoch : r.lr_decay_epochs) {
    schedule.milestones.push_back(
        std::llround(static_cast<double>(epoch) * length.steps_per_epoch));
  }
  return {.model = {.arch = r.arch,
                    .contrast = contrast,
                    .propagation = {.power = r.pixpro_p,
                                    .clamp = r.pixpro_clamp_value,
                                    .transform_layers = contrast ? 0 : r.pixpro_transform_layer},
                    .pos_ratio = r.pixpro_pos_ratio,
                    .instance_weight = r.pixpro_ins_loss_weight},
          .optimizer = {.lars = r.optimizer == "lars",
                        .momentum = r.momentum,
                        .weight_decay = r.weight_decay},
          .schedule = schedule,
          .branch_momentum = r.pixpro_momentum,
          .seed = r.seed,
          .precision = type_of_precision(r),
          .device = engine::parse_device(r.device)};
}

pixpro::Settings settings_of(const Recipe& r) {
  const auto text = [](const auto& number) { return nlohmann::json(number).dump(); };
  return {{"--arch", r.arch},
          {"--model", r.model},
          {"--pixpro-p", text(r.pixpro_p)},
          {"--pixpro-momentum", text(r.pixpro_momentum)},
          {"--pixpro-pos-ratio", text(r.pixpro_pos_ratio)},
          {"--pixpro-clamp-value", text(r.pixpro_clamp_value)},
          {"--pixpro-transform-layer", text(r.pixpro_transform_layer)},
          {"--pixpro-ins-loss-weight", text(r.pixpro_ins_loss_weight)},
          {"--optimizer", r.optimizer},
          {"--base-lr", text(r.base_lr)},
          {"--weight-decay", text(r.weight_decay)},
          {"--momentum", text(r.momentum)},
          {"--lr-scheduler", r.lr_scheduler},
          {"--epochs", text(r.epochs)},
          {"--warmup-epoch", text(r.warmup_epoch)},
          {"--warmup-multiplier", text(r.warmup_multiplier)},
          {"--lr-decay-epochs", text(r.lr_decay_epochs)},
          {"--lr-decay-rate", text(r.lr_decay_rate)},
          {"--seed", text(r.seed)},
          {"--precision", r.precision}};
}

void use_machine(const Recipe& recipe) {
  const engine::Device device = engine::parse_device(recipe.device);
  if constexpr (engine::kHasCuda) {
    if (device != engine::kCpu) {
      engine::set_cuda(device.index, {.tf32 = recipe.precision == "tf32",
                                      .deterministic = recipe.deterministic,
                                      .benchmark = recipe.cudnn_benchmark});
    }
  }
  if (recipe.threads > 0) omp_set_num_threads(recipe.threads);
  const std::map<std::string, engine::ConvPolicy> policies = {
      {"auto", engine::ConvPolicy::automatic},
      {"direct", engine::ConvPolicy::direct},
      {"winograd", engine::ConvPolicy::winograd},
      {"library", engine::ConvPolicy::library}};
  engine::cpu_context().settings.conv_policy = policies.at(recipe.conv_algorithm);
}

}  // namespace apps
