// pixpro replay: trains on recorded batches from given weights and records every number, so that
// the engine can be compared with another implementation.
#include <algorithm>
#include <iostream>
#include <memory>

#include "apps/commands/commands.h"
#include "apps/flags/ranks.h"
#include "apps/flags/training.h"
#include "engine/tensor_ops.h"
#include "pixpro/weights/weights.h"

namespace apps {
namespace {

using engine::Tensor;
using engine::TensorFile;

constexpr int64_t kMostSteps = int64_t{1} << 32;

struct ReplayFlags {
  TrainingFlags training;
  RankFlags ranks;
  std::string weights, batches, out;
  int64_t total_steps = 0;  // 0: as many as there are batches
  int64_t warmup_steps = 0;
  int64_t accumulate = 1;
};

struct Batch {
  Tensor views, boxes;  // both views stacked
};

Tensor recorded(const TensorFile& file, const std::string& name, const engine::Shape& expected) {
  const Tensor& t = find_tensor(file, name);
  engine::require(t.dtype() == engine::DType::f32 || t.dtype() == engine::DType::f64, "batches: '",
                  name, "' must hold f32 or f64, found ", t.dtype());
  engine::require(t.shape() == expected, "batches: '", name, "' has the shape ", t.shape(),
                  ", expected ", expected);
  engine::require(engine::all_finite(t), "batches: '", name,
                  "' holds a value that is not a finite number");
  return t;
}

engine::Shape view_shape(const TensorFile& file, int64_t step) {
  const std::string name = "view1." + std::to_string(step);
  const engine::Shape& shape = find_tensor(file, name).shape();
  engine::require(shape.axes() == 4 && shape[1] == 3 && shape.elements() > 0, "batches: '", name,
                  "' must be [N,3,H,W], found ", shape);
  return shape;
}

// images: N of the first batch, by which the learning rate is scaled.
Batch read_batch(const TensorFile& file, int64_t step, int64_t images) {
  const std::string number = std::to_string(step);
  const engine::Shape shape = view_shape(file, step);
  engine::require(shape[0] == images, "batches: 'view1.", number, "' holds ", shape[0],
                  " images but the first batch ", images, "; all batches must have one size");
  const engine::Shape boxes{shape[0], 4};
  const auto pair = [&](const char* what, const engine::Shape& expected) {
    return engine::concatenate_rows({recorded(file, what + ("1." + number), expected),
                                     recorded(file, what + ("2." + number), expected)});
  };
  return {pair("view", shape), pair("coord", boxes)};
}

// How many steps 0, 1, ... the file has.
int64_t count_batches(const TensorFile& file) {
  int64_t count = 0;
  while (file.tensors.contains("view1." + std::to_string(count))) ++count;
  engine::require(count > 0,
                  "batches: no 'view1.0' in the file: expected view1.S, view2.S [N,3,H,W] "
                  "and coord1.S, coord2.S [N,4] for S = 0, 1, ...");
  // A gap would silently end the run early.
  const auto found = std::ranges::count_if(
      file.tensors, [](const auto& entry) { return entry.first.starts_with("view1."); });
  engine::require(found == count, "batches: ", found, " tensors are called 'view1.S', but only ",
                  count, " follow from 'view1.0' without a gap");
  return count;
}

pixpro::TrainerOptions options_of(const ReplayFlags& flags, const Rank& rank, int64_t batch_size,
                                  int64_t batches) {
  RunLength length;
  length.total_steps = flags.total_steps > 0 ? flags.total_steps : batches;
  length.warmup_steps = flags.warmup_steps;
  length.steps_per_epoch = static_cast<double>(length.total_steps) /
                           static_cast<double>(flags.training.optimizer.epochs);
  pixpro::TrainerOptions options = trainer_options(flags.training, batch_size, length);
  options.accumulate = flags.accumulate;
  train_as(rank, flags.ranks, options);
  return options;
}

void report(const pixpro::LoadReport& load) {
  if (!load.unused.empty()) {
    std::cerr << "pixpro: note: " << load.unused.size()
              << " tensors of the weight file are not used, "
              << "the first is '" << load.unused.front() << "'\n";
  }
  if (!load.kept.empty()) {
    std::cerr << "pixpro: note: " << load.kept.size()
              << " buffers are not in the weight file and keep their "
              << "initial values, the first is '" << load.kept.front() << "'\n";
  }
}

void record_step(TensorFile& out, const pixpro::StepResult& result) {
  const std::string number = std::to_string(result.step);
  const auto value = [](double x) { return engine::full({}, x, engine::DType::f64); };
  out.tensors["loss." + number] = value(result.loss);
  out.tensors["lr." + number] = value(result.learning_rate);
  out.tensors["momentum." + number] = value(result.momentum);
}

// The gradients of all parameters that have one.
void record_gradients(TensorFile& out, pixpro::Model& model) {
  for (const layers::NamedVar& p : model.parameters()) {
    if (p.var.grad().defined()) out.tensors["grad." + p.name] = engine::clone(p.var.grad());
  }
}

// Every rank trains on its part of each batch. Rank 0 reports and writes the file.
void replay(const ReplayFlags& flags, const Rank& rank) {
  const TensorFile batches = engine::read_tensor_file(flags.batches);
  const int64_t count = count_batches(batches);
  const int64_t batch_size = view_shape(batches, 0)[0];
  pixpro::Trainer trainer(options_of(flags, rank, batch_size, count));
  const pixpro::LoadReport load =
      load_weights(engine::read_tensor_file(flags.weights), trainer.model());
  if (rank.leads()) report(load);

  TensorFile out;
  for (int64_t step = 0; step < count; ++step) {
    const Batch batch = read_batch(batches, step, batch_size);
    const pixpro::StepResult result = trainer.compute_gradients(
        pixpro::part_of_rank({batch.views, batch.boxes}, rank.index, rank.count, flags.accumulate));
    record_step(out, result);
    if (step == 0) record_gradients(out, trainer.model());
    trainer.update();
    if (!rank.leads()) continue;
    std::cout << "step " << step << " loss " << result.loss << " lr " << result.learning_rate
              << " momentum " << result.momentum << std::endl;
  }
  if (!rank.leads()) return;
  out.tensors.merge(pixpro::weights_of(trainer.model()).tensors);
  write_tensor_file(flags.out, out);
}

}  // namespace

void add_replay(CLI::App& app) {
  auto flags = std::make_shared<ReplayFlags>();
  // Accuracy counts here, not speed: the library's f32 convolutions have the smallest rounding
  // errors.
  flags->training.machine.conv_algorithm = "library";
  Command command(app, "replay", "Train on recorded batches and record the outcome");
  command
      .add("--weights", &flags->weights, ChangesNumbers::yes,
           "Tensor file: parameters and buffers under their published names")
      ->required();
  command
      .add("--batches", &flags->batches, ChangesNumbers::yes,
           "Tensor file: view1.S, view2.S, coord1.S, coord2.S for the steps S = 0, 1, ...")
      ->required();
  command
      .add("--out", &flags->out, ChangesNumbers::no,
           "Tensor file to write: losses, gradients of step 0, final weights")
      ->required();
  command.add("--total-steps", &flags->total_steps, ChangesNumbers::yes,
              "Steps of the whole run, which the schedules need; 0: as many as there are batches",
              CLI::Range(int64_t{0}, kMostSteps));
  command.add("--warmup-steps", &flags->warmup_steps, ChangesNumbers::yes,
              "Steps of linear warm-up", CLI::Range(int64_t{0}, kMostSteps));
  command.add("--accumulate", &flags->accumulate, ChangesNumbers::yes,
              "Micro-batches per step (gradient accumulation)", CLI::Range(int64_t{1}, kMostSteps));
  add_training_flags(command, flags->training);
  add_rank_flags(command, flags->ranks);
  command.set_job_for_ranks([flags] {
    on_ranks(plan_ranks(flags->training.machine), [&](const Rank& rank) { replay(*flags, rank); });
  });
}

}  // namespace apps
