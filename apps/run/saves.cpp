#include "apps/run/saves.h"

#include <exception>

#include "apps/console.h"
#include "apps/interrupts.h"

namespace apps {

void Saves::save(bool last) {
  if (lost_ || trainer_.steps_done() == saved_.value_or(0)) return;
  const Interrupts::Saving saving;
  lost_ = true;
  folder_.lock().require_held();
  lost_ = false;
  try {
    state_.history = metrics_.flush();  // on disk before the checkpoint that names its end
    write_checkpoint(folder_.checkpoint(), trainer_, state_, settings_);
    note_saved();
    failed_ = false;
  } catch (const std::exception& error) {
    failed_ = true;
    if (last) throw;
    warn(std::string(error.what()) + ". The run goes on and tries again after the next epoch; if " +
         "it ended now, " + how_to_go_on());
  }
}

std::string Saves::how_to_go_on() const {
  if (!saved_) return "nothing has been saved: the same command starts as it did this time";
  return "the same command with --auto-resume goes on from '" + folder_.checkpoint().string() +
         "', which holds step " + std::to_string(*saved_);
}

}  // namespace apps
