#include "pixpro/weights/pretrained.h"

#include <algorithm>
#include <set>

#include "pixpro/weights/weights.h"

namespace pixpro {
namespace {

using engine::TensorFile;

const std::string kEncoder = "encoder.";

// Checkpoints also hold the state of the training.
bool is_weight(const std::string& name) {
  return name.find('.') != std::string::npos && !name.starts_with("optimizer.");
}

// What a name of the file is called in the model.
std::string in_model(const std::string& name, bool backbone_alone) {
  return backbone_alone ? kEncoder + name : name;
}

// The online tensor that a tensor of the momentum encoder follows, or its own name:
// "encoder_k.bn1.bias" -> "encoder.bn1.bias".
std::string online_name(const std::string& name) {
  const size_t dot = name.find('.');
  return name.substr(0, dot).ends_with("_k") ? name.substr(0, dot - 2) + name.substr(dot) : name;
}

}  // namespace

StartReport start_from(const TensorFile& file, layers::Module& model) {
  const bool backbone_alone = std::ranges::none_of(
      file.tensors, [](const auto& entry) { return entry.first.starts_with(kEncoder); });
  TensorFile renamed{.tensors = {}, .metadata = {}, .source = file.source};
  for (const auto& [name, tensor] : file.tensors) {
    if (is_weight(name)) renamed.tensors[in_model(name, backbone_alone)] = tensor;
  }
  std::set<std::string> used;
  std::vector<layers::NamedTensor> targets;
  StartReport report;
  for (const layers::NamedTensor& target : state_of(model)) {
    const std::string& name = target.name;
    const std::string source = renamed.tensors.contains(name) ? name : online_name(name);
    if (!renamed.tensors.contains(source)) {
      report.missing.push_back(name);
      continue;
    }
    used.insert(source);
    renamed.tensors[name] = renamed.tensors[source];
    targets.push_back(target);
  }
  engine::require(!targets.empty(), file_called(file), " holds no weights of this model: expected ",
                  "names like 'encoder.conv1.weight' or 'conv1.weight'");
  for (const layers::NamedTensor& target : targets) require_finite(renamed, target.name);
  overwrite(targets, renamed);
  for (const auto& [name, tensor] : file.tensors) {
    if (is_weight(name) && !used.contains(in_model(name, backbone_alone))) {
      report.unused.push_back(name);
    }
  }
  return report;
}

}  // namespace pixpro
