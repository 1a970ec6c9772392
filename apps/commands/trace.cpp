// pixpro trace: the tape of one training step as text and as a Graphviz graph.
#include "autograd/trace.h"

#include <iostream>
#include <memory>

#include "apps/commands/commands.h"
#include "apps/flags/recipe.h"
#include "engine/files/atomic_file.h"
#include "engine/tensor_ops.h"

namespace apps {
namespace {

struct TraceFlags {
  Recipe recipe;
  int64_t image_size = 64;
  int64_t batch_size = 2;
  std::string out = "trace";
};

void write_trace(const TraceFlags& flags) {
  use_machine(flags.recipe);
  const pixpro::TrainerOptions options = trainer_options(flags.recipe, flags.batch_size, {});
  pixpro::Trainer trainer(options);
  const int64_t stacked = 2 * flags.batch_size, size = flags.image_size;
  layers::Init noise{engine::Random(flags.recipe.seed, 1)};
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
  CLI::App* command = app.add_subcommand("trace", "Write the tape of one training step");
  add_model_flags(*command, flags->recipe);
  add_machine_flags(*command, flags->recipe);
  command->add_option("--image-size", flags->image_size, "Side of a view in pixels")
      ->check(CLI::Range(33, 4096))
      ->capture_default_str();
  command->add_option("--batch-size", flags->batch_size, "Images a step")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  command->add_option("--out", flags->out, "Writes OUT.txt and OUT.dot")->capture_default_str();
  command->callback([flags] { write_trace(*flags); });
}

}  // namespace apps
