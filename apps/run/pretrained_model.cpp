#include "apps/run/pretrained_model.h"

#include <algorithm>

#include "apps/console.h"
#include "engine/files/tensor_file_header.h"
#include "pixpro/weights/pretrained.h"

namespace apps {
namespace {

void list(const char* what, const std::vector<std::string>& names) {
  constexpr size_t kMost = 20;
  const size_t shown = std::min(names.size(), kMost);
  for (size_t i = 0; i < shown; ++i) {
    warn(std::string("pretrained model: ") + what + ": " + engine::shown(names[i]));
  }
  if (names.size() > shown) {
    warn(std::string("pretrained model: ") + what + ": and " +
         std::to_string(names.size() - shown) + " more");
  }
}

}  // namespace

void start_from_pretrained(const std::filesystem::path& file, pixpro::Trainer& trainer) {
  const pixpro::StartReport report =
      pixpro::start_from(engine::read_tensor_file(file), trainer.model());
  list("missing in the file, keeps its initial value", report.missing);
  list("not in the model, ignored", report.unused);
}

}  // namespace apps
