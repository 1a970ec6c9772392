#include "pixpro/weights/weights.h"

#include <algorithm>
#include <set>

#include "engine/tensor_ops.h"

namespace pixpro {
namespace {

using engine::Tensor;
using engine::TensorFile;
using layers::NamedTensor;

void check(const NamedTensor& target, const TensorFile& file) {
  const Tensor &expected = target.tensor, &found = find_tensor(file, target.name);
  const std::string where = file_called(file) + ": '" + target.name + "'";
  engine::require(expected.shape() == found.shape(), where, " has the shape ", found.shape(),
                  ", expected ", expected.shape());
  engine::require(
      (expected.dtype() == engine::DType::i64) == (found.dtype() == engine::DType::i64) &&
          found.dtype() != engine::DType::u8,
      where, " holds ", found.dtype(), ", expected ", expected.dtype());
}

void copy(const Tensor& found, Tensor target) {
  if (target.dtype() == engine::DType::i64) {
    std::copy_n(found.data<int64_t>(), found.elements(), target.data<int64_t>());
  } else {
    engine::copy_into(found, target);
  }
}

}  // namespace

TensorFile weights_of(const layers::Module& module) {
  TensorFile file;
  for (const NamedTensor& t : state_of(module)) file.tensors[t.name] = t.tensor;
  return file;
}

void require_finite(const TensorFile& file, const std::string& name) {
  engine::require(engine::all_finite(find_tensor(file, name)), file_called(file), ": '", name,
                  "' holds a value that is not a finite number");
}

void overwrite(const std::vector<NamedTensor>& targets, const TensorFile& file) {
  for (const NamedTensor& target : targets) check(target, file);
  for (const NamedTensor& target : targets) copy(find_tensor(file, target.name), target.tensor);
}

LoadReport load_weights(const TensorFile& file, layers::Module& module) {
  LoadReport report;
  std::vector<NamedTensor> targets;
  for (const layers::NamedVar& p : module.parameters()) targets.push_back({p.name, p.var.value()});
  for (const NamedTensor& b : module.buffers()) {
    if (file.tensors.contains(b.name)) {
      targets.push_back(b);
    } else {
      report.kept.push_back(b.name);
    }
  }
  std::set<std::string> known;
  for (const NamedTensor& target : targets) known.insert(target.name);
  for (const auto& [name, tensor] : file.tensors) {
    if (!known.contains(name)) report.unused.push_back(name);
  }
  for (const NamedTensor& target : targets) {
    check(target, file);
    require_finite(file, target.name);
  }
  overwrite(targets, file);
  return report;
}

}  // namespace pixpro
