#include "apps/run/resumption.h"

#include <charconv>
#include <sstream>

#include "apps/console.h"

namespace apps {
namespace {

constexpr const char* kEpochs = "--epochs";

// The run's length so far, if it is to be extended.
std::optional<int64_t> epochs_to_extend(const engine::TensorFile& checkpoint, int64_t epochs,
                                        bool extend) {
  const auto found = checkpoint.metadata.find(kEpochs);
  if (found == checkpoint.metadata.end()) return std::nullopt;
  const std::string& text = found->second;
  int64_t before = 0;
  std::from_chars(text.data(), text.data() + text.size(), before);
  if (before < 1 || before == epochs) return std::nullopt;
  engine::require(extend && epochs > before, file_called(checkpoint),
                  " can be resumed only with the settings it was made with: ", kEpochs, " ", before,
                  " (asked for: ", epochs, "); ",
                  epochs > before ? "add --extend to lengthen the run"
                                  : "a run can be lengthened, but not shortened");
  return before;
}

}  // namespace

Resumption resume(const engine::TensorFile& checkpoint, pixpro::Settings settings,
                  const pixpro::Settings& defaults, int64_t epochs, bool extend) {
  const std::optional<int64_t> before = epochs_to_extend(checkpoint, epochs, extend);
  if (before) settings[kEpochs] = std::to_string(*before);
  return {.run = pixpro::run_of(checkpoint, settings, defaults), .epochs_before = before};
}

std::string extension_note(const Resumption& resumption, const OptimizerFlags& flags,
                           const pixpro::TrainerOptions& options) {
  if (!resumption.epochs_before) return {};
  const int64_t step = resumption.run.state.steps_done, epochs = *resumption.epochs_before;
  const layers::Schedule& longer = options.schedule;
  layers::Schedule shorter = longer;
  shorter.total_steps = longer.total_steps / flags.epochs * epochs;
  const auto momentum = [&](const layers::Schedule& schedule) {
    return layers::encoder_momentum(options.encoder_momentum, step, schedule.total_steps);
  };
  std::ostringstream note;
  note << "extended from " << epochs << " to " << flags.epochs << " epochs, which the schedules "
       << "follow from step " << step << " on: learning rate " << learning_rate(longer, step)
       << " instead of " << learning_rate(shorter, step) << ", momentum of the momentum encoder "
       << momentum(longer) << " instead of " << momentum(shorter) << '\n';
  return note.str();
}

pixpro::MetricsFile open_metrics(const RunFolder& folder, Resumption& resumption,
                                 const pixpro::Skipped& skipped) {
  pixpro::RunState& state = resumption.run.state;
  if (!resumption.run.steps.empty()) {
    state.history = write_history(folder.metrics(), resumption.run.steps);
  }
  pixpro::MetricsFile metrics(folder.metrics(), state.history, skipped);
  if (state.steps_done > 0 && !metrics.continued()) {
    say("'" + folder.metrics().string() + "' does not hold the first " +
        std::to_string(state.steps_done) + " steps, so a new one begins\n");
  }
  return metrics;
}

}  // namespace apps
