// The seam to oneDNN, versions 2.6 to 3.x: what its users, conv/onednn_conv.cpp and
// onednn_matmul.cpp, share. Everything is f32.
//
// A primitive is made once per problem and thread. Its scratch memory comes from the engine's
// allocator. So a step in steady state creates nothing and takes no new memory.
#pragma once

#include <map>
#include <oneapi/dnnl/dnnl.hpp>
#include <unordered_map>
#include <vector>

#include "engine/tensor.h"

namespace engine {

// A primitive and the descriptors of the tensors it takes.
struct OnednnPlan {
  dnnl::primitive primitive;
  dnnl::memory::desc src, weights, dst, scratchpad;

  // Runs the primitive. `arguments` are all of its tensors but the scratchpad.
  void execute(std::unordered_map<int, dnnl::memory> arguments) const;
};

// Tells problems apart. Begins with the dnnl::primitive::kind.
using OnednnKey = std::vector<int64_t>;

// What one thread holds of the library.
struct Onednn {
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream{engine};
  std::map<OnednnKey, OnednnPlan> plans;
};
Onednn& onednn();  // the calling thread's

// The plan of a problem, made by make() the first time. Plans are kept until the thread ends, so
// the address of one can stand for it.
template <class Make>
const OnednnPlan& onednn_plan(const OnednnKey& key, Make&& make) {
  auto& plans = onednn().plans;
  auto found = plans.find(key);
  if (found == plans.end()) found = plans.emplace(key, make()).first;
  return found->second;
}

// Lets the caller provide the scratch memory.
dnnl::primitive_attr onednn_attributes();

// describe<Primitive>(arguments...) is the descriptor of a primitive; describe_backward takes that
// of the forward convolution first. The arguments are those on which versions 2 and 3 agree:
// version 2 wants them in a `desc`, version 3 wants them directly.
#if DNNL_VERSION_MAJOR < 3
template <class Primitive, class... Arguments>
typename Primitive::primitive_desc describe(const Arguments&... arguments) {
  return {typename Primitive::desc(arguments...), onednn_attributes(), onednn().engine};
}
template <class Primitive, class... Arguments>
typename Primitive::primitive_desc describe_backward(
    const dnnl::convolution_forward::primitive_desc& forward, const Arguments&... arguments) {
  return {typename Primitive::desc(arguments...), onednn_attributes(), onednn().engine, forward};
}
#else
template <class Primitive, class... Arguments>
typename Primitive::primitive_desc describe(const Arguments&... arguments) {
  return {onednn().engine, arguments..., onednn_attributes()};
}
template <class Primitive, class... Arguments>
typename Primitive::primitive_desc describe_backward(
    const dnnl::convolution_forward::primitive_desc& forward, const Arguments&... arguments) {
  return {onednn().engine, arguments..., forward, onednn_attributes()};
}
#endif

dnnl::memory::dims onednn_dims(const Shape& shape);

// The last dimension is contiguous, as in Layout::plain.
dnnl::memory::desc row_major_desc(const dnnl::memory::dims& dims);

// A tensor as oneDNN sees it. oneDNN has no const memory: the first is for inputs only.
dnnl::memory onednn_memory(const dnnl::memory::desc& desc, const Tensor& t);
dnnl::memory writable_onednn_memory(const dnnl::memory::desc& desc, Tensor& t);

// Uninitialised memory for a descriptor, in a tensor that must outlive its use.
Tensor onednn_storage(const dnnl::memory::desc& desc);

void onednn_reorder(dnnl::memory from, dnnl::memory to);

[[noreturn]] void fail_of_onednn(const dnnl::error& error, const char* what, const Tensor& a,
                                 const Tensor& b);

// Runs f, which asks oneDNN for `what` of two tensors; an error of oneDNN becomes an Error.
template <class F>
void guard_onednn(const char* what, const Tensor& a, const Tensor& b, F&& f) {
  try {
    f();
  } catch (const dnnl::error& error) {
    fail_of_onednn(error, what, a, b);
  }
}

}  // namespace engine
