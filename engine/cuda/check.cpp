#include "engine/cuda/check.h"

#include <string_view>

#include "engine/error.h"

namespace engine {
namespace {

// The path relative to the project's root.
std::string_view short_path(std::string_view path) {
  const size_t root = std::string_view(__FILE__).find("engine/cuda/check.cpp");
  return path.size() > root ? path.substr(root) : path;
}

}  // namespace

void fail_at(const std::source_location& where, const char* library, const std::string& what) {
  fail(library, ": ", what, " (", short_path(where.file_name()), ':', where.line(), ')');
}

void check(cudaError_t status, const std::source_location& where) {
  if (status == cudaSuccess) return;
  cudaGetLastError();  // clears the error, so that the next call does not report it again
  fail_at(where, "CUDA", std::string(cudaGetErrorName(status)) + ": " + cudaGetErrorString(status));
}

void check(cublasStatus_t status, const std::source_location& where) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  fail_at(where, "cuBLAS", cublasGetStatusName(status));
}

}  // namespace engine
