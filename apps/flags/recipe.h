// The model and optimiser flags that pretrain, replay and trace share, named as in the published
// code. Defaults are the paper's recipe.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "pixpro/train/checkpoint.h"

namespace apps {

struct Recipe {
  std::string arch = "resnet50";
  std::string model = "PixPro";
  double pixpro_p = 2.0;
  double pixpro_momentum = 0.99;
  double pixpro_pos_ratio = 0.7;
  double pixpro_clamp_value = 0.0;
  int pixpro_transform_layer = 1;
  double pixpro_ins_loss_weight = 0.0;

  std::string optimizer = "lars";
  double base_lr = 1.0;
  double weight_decay = 1e-5;
  double momentum = 0.9;
  std::string lr_scheduler = "cosine";
  int64_t epochs = 100;
  double warmup_epoch = 5;
  double warmup_multiplier = 100.0;
  std::vector<int64_t> lr_decay_epochs = {120, 160, 200};
  double lr_decay_rate = 0.1;

  uint64_t seed = 0;
  int threads = 0;  // 0: all cores
  std::string device = "cpu";
  std::string conv_algorithm = "auto";
  std::string precision = "f32";
  bool cudnn_benchmark = false;
  bool deterministic = false;
};

void add_model_flags(CLI::App& command, Recipe& recipe);
void add_optimizer_flags(CLI::App& command, Recipe& recipe);
void add_machine_flags(CLI::App& command, Recipe& recipe);  // seed, threads, ...

// How long a run is, in optimiser steps.
struct RunLength {
  int64_t total_steps = 1;
  int64_t warmup_steps = 0;
  double steps_per_epoch = 1.0;  // places --lr-decay-epochs
};

// What the flags mean for batches of `batch_size` images a step: the learning rate is
// base_lr * batch_size / 256.
pixpro::TrainerOptions trainer_options(const Recipe& recipe, int64_t batch_size,
                                       const RunLength& length);

// What a run's numbers depend on, by flag. Rounding also depends on the machine and on how it is
// used (--device, --threads, --conv-algorithm): these may change when a run is resumed.
pixpro::Settings settings_of(const Recipe& recipe);

// Sets what --threads and --conv-algorithm ask for.
void use_machine(const Recipe& recipe);

}  // namespace apps
