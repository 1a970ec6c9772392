#include "engine/cuda/cudnn/plan.h"

#include <algorithm>

#include "engine/error.h"

namespace engine {
namespace {

CudnnDescriptor tensor_of(ConvTensor id, const ConvProblem& problem, const Shape& shape) {
  const int64_t c = shape[1], h = shape[2], w = shape[3];
  CudnnDescriptor tensor(CUDNN_BACKEND_TENSOR_DESCRIPTOR);
  tensor.set(CUDNN_ATTR_TENSOR_UNIQUE_ID, int64_t{id});
  tensor.set(CUDNN_ATTR_TENSOR_DATA_TYPE, problem.type);
  tensor.set(CUDNN_ATTR_TENSOR_DIMENSIONS, std::vector<int64_t>(shape.begin(), shape.end()));
  tensor.set(CUDNN_ATTR_TENSOR_STRIDES, std::vector<int64_t>{h * w * c, 1, w * c, c});
  tensor.set(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, problem.alignment);
  tensor.finalize();
  return tensor;
}

CudnnDescriptor convolution_of(const Conv2dOptions& o) {
  CudnnDescriptor convolution(CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
  const auto both = [](int64_t value) { return std::vector<int64_t>{value, value}; };
  convolution.set(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, int64_t{2});
  convolution.set(CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_DATA_FLOAT);
  convolution.set(CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_CROSS_CORRELATION);
  convolution.set(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, both(o.padding));
  convolution.set(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, both(o.padding));
  convolution.set(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, both(o.stride));
  convolution.set(CUDNN_ATTR_CONVOLUTION_DILATIONS, both(o.dilation));
  convolution.finalize();
  return convolution;
}

// The names of the same things in the three directions.
struct OperationNames {
  cudnnBackendDescriptorType_t operation;
  cudnnBackendAttributeName_t x, w, y, convolution, alpha, beta;
};

OperationNames names_of(ConvDirection direction) {
  switch (direction) {
    case ConvDirection::forward:
      return {CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA};
    case ConvDirection::backward_data:
      return {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA};
    case ConvDirection::backward_weights:
      break;
  }
  return {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA};
}

// The problem as a graph of cuDNN.
struct Graph {
  CudnnDescriptor x, w, y, convolution, operation, graph;

  Graph(cudnnHandle_t handle, const ConvProblem& p)
      : x(tensor_of(kConvX, p, p.x)),
        w(tensor_of(kConvW, p, p.w)),
        y(tensor_of(kConvY, p, conv2d_output_shape(p.x, p.w, p.options))),
        convolution(convolution_of(p.options)),
        operation(names_of(p.direction).operation),
        graph(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR) {
    const OperationNames names = names_of(p.direction);
    operation.set(names.x, x);
    operation.set(names.w, w);
    operation.set(names.y, y);
    operation.set(names.convolution, convolution);
    operation.set(names.alpha, 1.0f);
    operation.set(names.beta, 0.0f);
    operation.finalize();
    graph.set(CUDNN_ATTR_OPERATIONGRAPH_HANDLE, handle);
    graph.set(CUDNN_ATTR_OPERATIONGRAPH_OPS, operation);
    graph.finalize();
  }
};

// Configurations in the order in which a heuristic ranks them.
std::vector<CudnnDescriptor> configurations(const Graph& graph, cudnnBackendHeurMode_t mode) {
  CudnnDescriptor heuristic(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
  heuristic.set(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph.graph);
  heuristic.set(CUDNN_ATTR_ENGINEHEUR_MODE, mode);
  if (!heuristic.finalize_if_supported()) return {};
  std::vector<CudnnDescriptor> found;
  const int64_t count = heuristic.count(CUDNN_ATTR_ENGINEHEUR_RESULTS);
  for (int64_t i = 0; i < count; ++i) found.emplace_back(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
  const int64_t filled = heuristic.get(CUDNN_ATTR_ENGINEHEUR_RESULTS, found);
  found.erase(found.begin() + filled, found.end());
  return found;
}

using Notes = std::vector<cudnnBackendNumericalNote_t>;

bool keeps_promises(const Notes& notes, const ConvProblem& problem) {
  const auto noted = [&](cudnnBackendNumericalNote_t note) {
    return std::ranges::find(notes, note) != notes.end();
  };
  if (noted(CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS)) return false;
  if (noted(CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION)) return false;
  const bool exact = problem.type == CUDNN_DATA_FLOAT && !problem.tf32;
  if (exact && noted(CUDNN_NUMERICAL_NOTE_TENSOR_CORE)) return false;
  return !problem.deterministic || !noted(CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC);
}

// Appends the plans of the configurations that keep the promises and that cuDNN can run.
void add_plans(cudnnHandle_t handle, const ConvProblem& problem,
               std::vector<CudnnDescriptor> configs, size_t most, std::vector<ConvPlan>& plans) {
  for (CudnnDescriptor& config : configs) {
    if (plans.size() >= most) return;
    std::vector<CudnnDescriptor> engine;
    engine.emplace_back(CUDNN_BACKEND_ENGINE_DESCRIPTOR);
    config.get(CUDNN_ATTR_ENGINECFG_ENGINE, engine);
    Notes notes = engine[0].get<cudnnBackendNumericalNote_t>(CUDNN_ATTR_ENGINE_NUMERICAL_NOTE,
                                                             CUDNN_NUMERICAL_NOTE_TYPE_COUNT);
    if (!keeps_promises(notes, problem)) continue;
    CudnnDescriptor plan(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
    plan.set(CUDNN_ATTR_EXECUTION_PLAN_HANDLE, handle);
    plan.set(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, config);
    if (!plan.finalize_if_supported()) continue;
    const int64_t workspace = plan.get<int64_t>(CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE);
    const int64_t number = engine[0].get<int64_t>(CUDNN_ATTR_ENGINE_GLOBAL_INDEX);
    plans.push_back({std::move(config), std::move(plan), workspace, number, std::move(notes)});
  }
}

}  // namespace

std::vector<int64_t> ConvProblem::key() const {
  std::vector<int64_t> key = {static_cast<int64_t>(direction),
                              type,
                              options.stride,
                              options.padding,
                              options.dilation,
                              options.groups,
                              alignment,
                              tf32,
                              deterministic};
  key.insert(key.end(), x.begin(), x.end());
  key.insert(key.end(), w.begin(), w.end());
  return key;
}

std::vector<ConvPlan> conv_plans(cudnnHandle_t handle, const ConvProblem& problem, size_t most) {
  const Graph graph(handle, problem);
  std::vector<ConvPlan> plans;
  for (const cudnnBackendHeurMode_t mode : {CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_FALLBACK}) {
    if (plans.size() < most) {
      add_plans(handle, problem, configurations(graph, mode), most, plans);
    }
  }
  require(!plans.empty(), "cuDNN has no ", problem.deterministic ? "deterministic " : "",
          "kernel for a convolution of ", problem.x, " with weights ", problem.w, ", stride ",
          problem.options.stride, ", padding ", problem.options.padding, ", dilation ",
          problem.options.dilation, ", groups ", problem.options.groups);
  return plans;
}

}  // namespace engine
