#include "engine/cuda/cudnn/descriptor.h"

#include <algorithm>
#include <array>
#include <string>

#include "engine/cuda/check.h"

namespace engine {
namespace {

// Some kernels are compiled when they are planned. One that does not compile counts as absent.
bool is_unsupported(cudnnStatus_t status) {
  return CUDNN_STATUS_CATEGORY(status) == CUDNN_STATUS_NOT_SUPPORTED ||
         status == CUDNN_STATUS_INTERNAL_ERROR_COMPILATION_FAILED;
}

}  // namespace

void check(cudnnStatus_t status, const std::source_location& where) {
  if (status == CUDNN_STATUS_SUCCESS) return;
  std::array<char, 1024> explanation{};
  cudnnGetLastErrorString(explanation.data(), explanation.size());
  std::string text = cudnnGetErrorString(status);
  if (explanation[0] != '\0') text += std::string(": ") + explanation.data();
  fail_at(where, "cuDNN", text);
}

CudnnDescriptor::CudnnDescriptor(cudnnBackendDescriptorType_t type) {
  cudnnBackendDescriptor_t raw = nullptr;
  check(cudnnBackendCreateDescriptor(type, &raw));
  raw_.reset(raw);
}

int64_t CudnnDescriptor::get(Name name, const std::vector<CudnnDescriptor>& into) const {
  std::vector<cudnnBackendDescriptor_t> raw;
  for (const CudnnDescriptor& descriptor : into) raw.push_back(descriptor.get());
  return get_raw(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, static_cast<int64_t>(raw.size()), raw.data());
}

void CudnnDescriptor::finalize(const std::source_location& where) {
  check(cudnnBackendFinalize(raw_.get()), where);
}

bool CudnnDescriptor::finalize_if_supported(const std::source_location& where) {
  const cudnnStatus_t status = cudnnBackendFinalize(raw_.get());
  if (is_unsupported(status)) return false;
  check(status, where);
  return true;
}

void CudnnDescriptor::set_raw(Name name, cudnnBackendAttributeType_t type, int64_t count,
                              const void* values) {
  check(cudnnBackendSetAttribute(raw_.get(), name, type, count, values));
}

int64_t CudnnDescriptor::get_raw(Name name, cudnnBackendAttributeType_t type, int64_t room,
                                 void* values) const {
  int64_t count = 0;
  check(cudnnBackendGetAttribute(raw_.get(), name, type, room, &count, values));
  return room == 0 ? count : std::min(count, room);
}

}  // namespace engine
