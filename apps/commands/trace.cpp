// pixpro trace: writes the tape of one training step as text and as a Graphviz graph.
#include "autograd/trace.h"

#include <iostream>
#include <memory>

#include "apps/commands/commands.h"
#include "apps/flags/training.h"
#include "apps/flags/views.h"
#include "engine/files/atomic_file.h"
#include "engine/tensor_ops.h"

namespace apps {
namespace {

struct TraceFlags {
  TrainingFlags training;
  int image_size = 64;
  int64_t batch_size = 2;
  std::string out = "trace";
};

void write_trace(const TraceFlags& flags) {
  use_machine(flags.training.machine);
  const pixpro::TrainerOptions options = trainer_options(flags.training, flags.batch_size, {});
  pixpro::Trainer trainer(options);
  const int64_t stacked = 2 * flags.batch_size, size = flags.image_size;
  layers::Init noise{engine::Random(flags.training.machine.seed, 1)};
  const engine::Tensor views = noise.normal({stacked, 3, size, size}, 1.0);
  engine::Tensor boxes({stacked, 4}, engine::DType::f64);
  for (int64_t i = 0; i < boxes.elements(); ++i) boxes.data<double>()[i] = i % 4 < 2 ? 0.1 : 0.9;

  autograd::LeafNames names;
  for (const layers::NamedVar& p : trainer.model().parameters()) names[p.var.slot().get()] = p.name;
  const autograd::Tape tape;
  const pixpro::Model::Output output =
      trainer.model().forward(network_input(views, options), to_device(boxes, options.device));
  const std::string text = trace_text(tape, names);
  engine::write_file_atomically(flags.out + ".txt", text);
  engine::write_file_atomically(flags.out + ".dot", trace_graphviz(tape, names));
  std::cout << text.substr(text.rfind('\n', text.size() - 2) + 1) << "written: " << flags.out
            << ".txt, " << flags.out << ".dot (dot -Tsvg " << flags.out << ".dot > " << flags.out
            << ".svg draws it)\n";
}

}  // namespace

void add_trace(CLI::App& app) {
  auto flags = std::make_shared<TraceFlags>();
  Command command(app, "trace", "Write the tape of one training step");
  add_model_flags(command, flags->training.model);
  add_machine_flags(command, flags->training.machine);
  add_image_size(command, flags->image_size);
  add_batch_size(command, flags->batch_size);
  command.add("--out", &flags->out, ChangesNumbers::no, "Writes OUT.txt and OUT.dot");
  command.set_job([flags] { write_trace(*flags); });
}

}  // namespace apps
