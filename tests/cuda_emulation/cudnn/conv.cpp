#include "tests/cuda_emulation/cudnn/conv.h"

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <map>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <vector>

namespace cuda_emulation {
namespace {

using Json = nlohmann::json;

[[noreturn]] void refuse(const std::string& what) {
  throw std::runtime_error("emulated cuDNN: expected a plan of one convolution, found " + what);
}

cudnnDataType_t type_of(const std::string& name) {
  static const std::map<std::string, cudnnDataType_t> types = {
      {"CUDNN_DATA_FLOAT", CUDNN_DATA_FLOAT},
      {"CUDNN_DATA_HALF", CUDNN_DATA_HALF},
      {"CUDNN_DATA_BFLOAT16", CUDNN_DATA_BFLOAT16}};
  const auto found = types.find(name);
  if (found == types.end()) refuse("tensors of " + name);
  return found->second;
}

PlanTensor tensor_of(const Json& all, const std::string& name) {
  for (const Json& tensor : all) {
    if (tensor.at("name") != name) continue;
    return {.id = std::stoll(name),
            .type = type_of(tensor.at("dataType")),
            .extents = tensor.at("dim"),
            .strides = tensor.at("stride"),
            .alignment = tensor.at("ptrAlignment")};
  }
  refuse("no tensor " + name);
}

int64_t offset(const PlanTensor& t, int64_t a, int64_t b, int64_t c, int64_t d) {
  return a * t.strides[0] + b * t.strides[1] + c * t.strides[2] + d * t.strides[3];
}

float load(const PlanTensor& t, const void* data, int64_t i) {
  switch (t.type) {
    case CUDNN_DATA_HALF:
      return __half2float(static_cast<const __half*>(data)[i]);
    case CUDNN_DATA_BFLOAT16:
      return __bfloat162float(static_cast<const __nv_bfloat16*>(data)[i]);
    default:
      return static_cast<const float*>(data)[i];
  }
}

void store(const PlanTensor& t, void* data, int64_t i, double value) {
  switch (t.type) {
    case CUDNN_DATA_HALF:
      static_cast<__half*>(data)[i] = __float2half(static_cast<float>(value));
      return;
    case CUDNN_DATA_BFLOAT16:
      static_cast<__nv_bfloat16*>(data)[i] = __float2bfloat16(static_cast<float>(value));
      return;
    default:
      static_cast<float*>(data)[i] = static_cast<float>(value);
  }
}

// Calls f(packed index, index in memory) for every element, packed with the channels innermost.
template <class F>
void for_elements(const PlanTensor& t, F&& f) {
  int64_t packed = 0;
  for (int64_t a = 0; a < t.extents[0]; ++a) {
    for (int64_t c = 0; c < t.extents[2]; ++c) {
      for (int64_t d = 0; d < t.extents[3]; ++d) {
        for (int64_t b = 0; b < t.extents[1]; ++b) f(packed++, offset(t, a, b, c, d));
      }
    }
  }
}

std::vector<double> packed_zeros(const PlanTensor& t) {
  const auto& e = t.extents;
  return std::vector<double>(static_cast<size_t>(e[0] * e[1] * e[2] * e[3]));
}

std::vector<double> packed(const PlanTensor& t, const void* data) {
  std::vector<double> values = packed_zeros(t);
  for_elements(t,
               [&](int64_t i, int64_t at) { values[static_cast<size_t>(i)] = load(t, data, at); });
  return values;
}

// Calls f(ix, iw, iy) for every output element and every tap of its window inside the image. iy is
// the element's index in the packed y. ix and iw are the indices of the first of the C/groups
// values of the packed x and w that are multiplied.
template <class F>
void for_taps(const ConvPlanText& p, F&& f) {
  const auto& x = p.tensors[ConvPlanText::kX].extents;
  const auto& w = p.tensors[ConvPlanText::kW].extents;
  const auto& y = p.tensors[ConvPlanText::kY].extents;
  const int64_t per_group = w[0] / (x[1] / w[1]);
  for (int64_t i = 0; i < y[0] * y[2] * y[3]; ++i) {
    const int64_t n = i / (y[2] * y[3]), row = i / y[3] % y[2], column = i % y[3];
    for (int64_t u = 0; u < w[2]; ++u) {
      const int64_t h = row * p.stride[0] - p.padding[0] + u * p.dilation[0];
      if (h < 0 || h >= x[2]) continue;
      for (int64_t v = 0; v < w[3]; ++v) {
        const int64_t q = column * p.stride[1] - p.padding[1] + v * p.dilation[1];
        if (q < 0 || q >= x[3]) continue;
        const int64_t pixel = ((n * x[2] + h) * x[3] + q) * x[1];
        for (int64_t o = 0; o < y[1]; ++o) {
          f(pixel + o / per_group * w[1], ((o * w[2] + u) * w[3] + v) * w[1], i * y[1] + o);
        }
      }
    }
  }
}

}  // namespace

int64_t PlanTensor::bytes() const {
  int64_t last = 0;
  for (size_t i = 0; i < 4; ++i) last += (extents[i] - 1) * strides[i];
  return (last + 1) * (type == CUDNN_DATA_FLOAT ? 4 : 2);
}

ConvPlanText parse_conv_plan(const std::string& text) {
  struct Names {
    ConvPlanText::Role output;
    const char *x, *w, *y;
  };
  static const std::map<std::string, Names> operations = {
      {"CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR", {ConvPlanText::kY, "X", "W", "Y"}},
      {"CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR",
       {ConvPlanText::kX, "dX", "W", "dY"}},
      {"CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR",
       {ConvPlanText::kW, "X", "dW", "dY"}}};
  const Json graph = Json::parse(text).at("operationGraph");
  const Json& nodes = graph.at("nodes");
  const Json& node = nodes.at(0);
  const auto found = operations.find(node.at("operation"));
  if (nodes.size() != 1 || found == operations.end() || node.at("alpha") != 1.0 ||
      node.at("beta") != 0.0 || node.at("mode") != "CUDNN_CROSS_CORRELATION" ||
      node.at("mathPrec") != "CUDNN_DATA_FLOAT") {
    refuse(nodes.dump());
  }
  const Names& names = found->second;
  const auto tensor = [&](const char* name) {
    return tensor_of(graph.at("tensors"), node.at(name));
  };
  return {.tensors = {tensor(names.x), tensor(names.w), tensor(names.y)},
          .output = names.output,
          .padding = node.at("pad"),
          .stride = node.at("stride"),
          .dilation = node.at("dilation")};
}

void convolve(const ConvPlanText& plan, const std::array<void*, 3>& data) {
  std::array<std::vector<double>, 3> values;
  for (size_t role = 0; role < 3; ++role) {
    const PlanTensor& t = plan.tensors[role];
    values[role] = role == plan.output ? packed_zeros(t) : packed(t, data[role]);
  }
  const int64_t channels = plan.tensors[ConvPlanText::kW].extents[1];
  for_taps(plan, [&](int64_t ix, int64_t iw, int64_t iy) {
    double* x = values[ConvPlanText::kX].data() + ix;
    double* w = values[ConvPlanText::kW].data() + iw;
    double& y = values[ConvPlanText::kY][static_cast<size_t>(iy)];
    double sum = 0.0;
    switch (plan.output) {
      case ConvPlanText::kX:
        for (int64_t c = 0; c < channels; ++c) x[c] += y * w[c];
        return;
      case ConvPlanText::kW:
        for (int64_t c = 0; c < channels; ++c) w[c] += y * x[c];
        return;
      case ConvPlanText::kY:
        for (int64_t c = 0; c < channels; ++c) sum += x[c] * w[c];
        y += sum;
        return;
    }
  });
  for_elements(plan.tensors[plan.output], [&](int64_t i, int64_t at) {
    store(plan.tensors[plan.output], data[plan.output], at,
          values[plan.output][static_cast<size_t>(i)]);
  });
}

}  // namespace cuda_emulation
