// Emulation of cuDNN's backend API. The real library describes, validates and plans convolutions;
// given the properties of a device, it does so without that device. Only what needs one is
// emulated: the handle, and the execution, which reads the plan and convolves with simple loops.
//
// Linked before the real library. The functions here call those of the same name that they hide.
#include <cudnn.h>
#include <dlfcn.h>

#include <array>
#include <cstring>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "tests/cuda_emulation/cudnn/control.h"
#include "tests/cuda_emulation/cudnn/conv.h"
#include "tests/cuda_emulation/cudnn/devices.h"
#include "tests/cuda_emulation/emulator.h"
#include "tests/cuda_emulation/memory.h"
#include "tests/cuda_emulation/stream.h"

struct cudnnContext {
  cudaStream_t stream = nullptr;
};

namespace cuda_emulation {
namespace {

template <class Function>
Function* real(Function*, const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}
#define REAL(function) real(&function, #function)

Gpu planned_gpu = Gpu::h100;
int plans_to_refuse = 0;

// The tensors of a variant pack, noted here because the real library does not return them.
struct Arguments {
  std::vector<int64_t> ids;
  std::vector<void*> addresses;
  void* workspace = nullptr;
};
// Never destroyed: destructors of static objects may free descriptors.
auto& arguments = *new std::map<cudnnBackendDescriptor_t, Arguments>;
auto& plans = *new std::set<cudnnBackendDescriptor_t>;

cudnnBackendDescriptor_t properties_of(const char* json) {
  cudnnBackendDescriptor_t properties = nullptr;
  REAL(cudnnBackendCreateDescriptor)(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR, &properties);
  REAL(cudnnBackendSetAttribute)
  (properties, CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, CUDNN_TYPE_CHAR,
   static_cast<int64_t>(std::strlen(json)), json);
  const cudnnStatus_t status = REAL(cudnnBackendFinalize)(properties);
  if (status != CUDNN_STATUS_SUCCESS) report("cuDNN rejects the device's properties");
  return properties;
}

cudnnBackendDescriptor_t properties() {
  static const cudnnBackendDescriptor_t a100 = properties_of(kA100), h100 = properties_of(kH100);
  return planned_gpu == Gpu::a100 ? a100 : h100;
}

// Gives a descriptor the device properties that it would have got from a handle.
cudnnStatus_t set_properties(cudnnBackendDescriptor_t descriptor,
                             cudnnBackendAttributeName_t name) {
  const cudnnBackendDescriptor_t value = properties();
  return REAL(cudnnBackendSetAttribute)(descriptor, name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &value);
}

std::string text_of(cudnnBackendDescriptor_t plan) {
  constexpr cudnnBackendAttributeName_t kName = CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION;
  int64_t count = 0;
  const auto get = REAL(cudnnBackendGetAttribute);
  if (get(plan, kName, CUDNN_TYPE_CHAR, 0, &count, nullptr) != CUDNN_STATUS_SUCCESS) return "";
  std::string text(static_cast<size_t>(count), '\0');
  get(plan, kName, CUDNN_TYPE_CHAR, count, &count, text.data());
  return text.c_str();  // without the terminating zeros
}

int64_t workspace_of(cudnnBackendDescriptor_t plan) {
  int64_t count = 0, bytes = 0;
  REAL(cudnnBackendGetAttribute)
  (plan, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, CUDNN_TYPE_INT64, 1, &count, &bytes);
  return bytes;
}

// Finds the plan's tensors among the arguments. Reports those that a device could not use.
bool bind(const ConvPlanText& plan, const Arguments& given, std::array<void*, 3>& data) {
  for (size_t role = 0; role < 3; ++role) {
    const PlanTensor& tensor = plan.tensors[role];
    for (size_t i = 0; i < given.ids.size(); ++i) {
      if (given.ids[i] == tensor.id) data[role] = given.addresses.at(i);
    }
    if (!is_device_block(data[role], static_cast<size_t>(tensor.bytes()))) {
      report("cudnnBackendExecute: tensor ", tensor.id, " of ", tensor.bytes(), " bytes at ",
             data[role], " is not in device memory");
      return false;
    }
    if (reinterpret_cast<uintptr_t>(data[role]) % static_cast<uintptr_t>(tensor.alignment) != 0) {
      report("cudnnBackendExecute: tensor ", tensor.id, " at ", data[role],
             " is not aligned to the ", tensor.alignment, " bytes that its plan assumes");
      return false;
    }
  }
  return true;
}

}  // namespace

void plan_for(Gpu gpu) { planned_gpu = gpu; }
void refuse_plans(int count) { plans_to_refuse = count; }

}  // namespace cuda_emulation

using namespace cuda_emulation;

cudnnStatus_t cudnnCreate(cudnnHandle_t* handle) {
  const Call call("cudnnCreate");
  if (call.fails) return CUDNN_STATUS_NOT_INITIALIZED;
  *handle = new cudnnContext;
  add_live(*handle, "cuDNN handle");
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnDestroy(cudnnHandle_t handle) {
  const Call call("cudnnDestroy");
  remove_live(handle);
  delete handle;
  return call.fails ? CUDNN_STATUS_INTERNAL_ERROR : CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnSetStream(cudnnHandle_t handle, cudaStream_t stream) {
  const Call call("cudnnSetStream");
  if (call.fails) return CUDNN_STATUS_BAD_PARAM;
  handle->stream = stream;
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendCreateDescriptor(cudnnBackendDescriptorType_t type,
                                           cudnnBackendDescriptor_t* descriptor) {
  const Call call("cudnnBackendCreateDescriptor");
  if (call.fails) return CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED;
  const cudnnStatus_t status = REAL(cudnnBackendCreateDescriptor)(type, descriptor);
  if (status != CUDNN_STATUS_SUCCESS) return status;
  if (type == CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR) plans.insert(*descriptor);
  add_live(*descriptor, "cuDNN descriptor of type " + std::to_string(type));
  return status;
}

cudnnStatus_t cudnnBackendDestroyDescriptor(cudnnBackendDescriptor_t descriptor) {
  const Call call("cudnnBackendDestroyDescriptor");
  arguments.erase(descriptor);
  plans.erase(descriptor);
  remove_live(descriptor);
  const cudnnStatus_t status = REAL(cudnnBackendDestroyDescriptor)(descriptor);
  return call.fails ? CUDNN_STATUS_INTERNAL_ERROR : status;
}

cudnnStatus_t cudnnBackendSetAttribute(cudnnBackendDescriptor_t descriptor,
                                       cudnnBackendAttributeName_t name,
                                       cudnnBackendAttributeType_t type, int64_t count,
                                       const void* values) {
  const Call call("cudnnBackendSetAttribute");
  if (call.fails) return CUDNN_STATUS_INTERNAL_ERROR;
  switch (name) {
    case CUDNN_ATTR_OPERATIONGRAPH_HANDLE:
      return CUDNN_STATUS_SUCCESS;  // a graph needs none
    case CUDNN_ATTR_EXECUTION_PLAN_HANDLE:
      return set_properties(descriptor, CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP);
    case CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH: {
      const cudnnStatus_t status = set_properties(descriptor, CUDNN_ATTR_ENGINEHEUR_DEVICEPROP);
      if (status != CUDNN_STATUS_SUCCESS) return status;
      break;
    }
    case CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS: {
      const auto* ids = static_cast<const int64_t*>(values);
      arguments[descriptor].ids.assign(ids, ids + count);
      break;
    }
    case CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS: {
      auto* const* addresses = static_cast<void* const*>(values);
      arguments[descriptor].addresses.assign(addresses, addresses + count);
      break;
    }
    case CUDNN_ATTR_VARIANT_PACK_WORKSPACE:
      arguments[descriptor].workspace = *static_cast<void* const*>(values);
      break;
    default:
      break;
  }
  return REAL(cudnnBackendSetAttribute)(descriptor, name, type, count, values);
}

cudnnStatus_t cudnnBackendGetAttribute(cudnnBackendDescriptor_t descriptor,
                                       cudnnBackendAttributeName_t name,
                                       cudnnBackendAttributeType_t type, int64_t room,
                                       int64_t* count, void* values) {
  const Call call("cudnnBackendGetAttribute");
  if (call.fails) return CUDNN_STATUS_INTERNAL_ERROR;
  return REAL(cudnnBackendGetAttribute)(descriptor, name, type, room, count, values);
}

cudnnStatus_t cudnnBackendFinalize(cudnnBackendDescriptor_t descriptor) {
  const Call call("cudnnBackendFinalize");
  if (call.fails) return CUDNN_STATUS_INTERNAL_ERROR;
  if (plans_to_refuse > 0 && plans.contains(descriptor)) {
    --plans_to_refuse;
    return CUDNN_STATUS_NOT_SUPPORTED_SHAPE;
  }
  return REAL(cudnnBackendFinalize)(descriptor);
}

cudnnStatus_t cudnnBackendExecute(cudnnHandle_t handle, cudnnBackendDescriptor_t plan,
                                  cudnnBackendDescriptor_t pack) {
  const Call call("cudnnBackendExecute");
  if (call.fails) return CUDNN_STATUS_EXECUTION_FAILED;
  if (device_state() != cudaSuccess) return CUDNN_STATUS_EXECUTION_FAILED_CUDART;
  const std::string text = text_of(plan);
  if (text.empty()) return CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED;
  const ConvPlanText convolution = parse_conv_plan(text);
  const Arguments& given = arguments[pack];
  std::array<void*, 3> data{};
  if (!bind(convolution, given, data)) return CUDNN_STATUS_BAD_PARAM;
  const int64_t room = workspace_of(plan);
  if (room > 0 && !is_device_block(given.workspace, static_cast<size_t>(room))) {
    report("cudnnBackendExecute: a workspace of ", room, " bytes at ", given.workspace,
           " is not in device memory");
    return CUDNN_STATUS_BAD_PARAM_NULL_POINTER;
  }
  enqueue(stream_of(handle->stream), [convolution, data, workspace = given.workspace, room] {
    // Real kernels overwrite it.
    if (room > 0) std::memset(workspace, 0xff, static_cast<size_t>(room));
    convolve(convolution, data);
    check_red_zones("cuDNN");
  });
  return CUDNN_STATUS_SUCCESS;
}
