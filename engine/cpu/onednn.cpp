#include "engine/cpu/onednn.h"

namespace engine {

Onednn& onednn() {
  thread_local Onednn state;
  return state;
}

void OnednnPlan::execute(std::unordered_map<int, dnnl::memory> arguments) const {
  const Tensor scratch = onednn_storage(scratchpad);
  arguments[DNNL_ARG_SCRATCHPAD] = onednn_memory(scratchpad, scratch);
  primitive.execute(onednn().stream, arguments);
  onednn().stream.wait();
}

dnnl::primitive_attr onednn_attributes() {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attributes;
}

dnnl::memory::dims onednn_dims(const Shape& shape) { return {shape.begin(), shape.end()}; }

dnnl::memory::desc row_major_desc(const dnnl::memory::dims& dims) {
  dnnl::memory::dims strides(dims.size(), 1);
  for (size_t i = dims.size(); i-- > 1;) strides[i - 1] = strides[i] * dims[i];
  return {dims, dnnl::memory::data_type::f32, strides};
}

dnnl::memory onednn_memory(const dnnl::memory::desc& desc, const Tensor& t) {
  return {desc, onednn().engine, const_cast<void*>(t.raw())};
}

dnnl::memory writable_onednn_memory(const dnnl::memory::desc& desc, Tensor& t) {
  return {desc, onednn().engine, t.raw()};
}

Tensor onednn_storage(const dnnl::memory::desc& desc) {
  return Tensor({static_cast<int64_t>(desc.get_size())}, DType::u8);
}

void onednn_reorder(dnnl::memory from, dnnl::memory to) {
  dnnl::reorder(from, to).execute(onednn().stream, from, to);
}

void fail_of_onednn(const dnnl::error& error, const char* what, const Tensor& a, const Tensor& b) {
  fail("oneDNN: ", what, " of ", a.shape(), " and ", b.shape(), " failed with status ",
       static_cast<int>(error.status), ": ", error.what());
}

}  // namespace engine
