#include "pixpro/train/weights.h"

#include <set>

#include "engine/tensor_ops.h"

namespace pixpro {
namespace {

using engine::Tensor;
using engine::TensorFile;
using layers::NamedTensor;

void check(const std::string& name, const Tensor& expected, const Tensor& found) {
  engine::require(expected.shape() == found.shape(), "weights: '", name, "' has the shape ",
                  found.shape(), ", expected ", expected.shape());
  engine::require(
      (expected.dtype() == engine::DType::i64) == (found.dtype() == engine::DType::i64) &&
          found.dtype() != engine::DType::u8,
      "weights: '", name, "' holds ", found.dtype(), ", expected ", expected.dtype());
  engine::require(engine::all_finite(found), "weights: '", name,
                  "' holds a value that is not a finite number");
}

void overwrite(const Tensor& found, Tensor target) {
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

LoadReport load_weights(const TensorFile& file, layers::Module& module) {
  LoadReport report;
  std::set<std::string> known;
  for (const layers::NamedVar& p : module.parameters()) {
    known.insert(p.name);
    check(p.name, p.var.value(), find_tensor(file, p.name));
  }
  for (const NamedTensor& b : module.buffers()) {
    known.insert(b.name);
    const auto found = file.tensors.find(b.name);
    if (found == file.tensors.end()) {
      report.kept.push_back(b.name);
    } else {
      check(b.name, b.tensor, found->second);
    }
  }
  for (const auto& [name, tensor] : file.tensors) {
    if (!known.contains(name)) report.unused.push_back(name);
  }
  for (const NamedTensor& t : state_of(module)) {
    const auto found = file.tensors.find(t.name);
    if (found != file.tensors.end()) overwrite(found->second, t.tensor);
  }
  return report;
}

}  // namespace pixpro
