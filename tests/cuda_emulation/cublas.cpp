// The functions of cuBLAS that the engine calls. Products are simple loops, summed in the compute
// type.
#include <cublas_v2.h>
#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <algorithm>
#include <vector>

#include "tests/cuda_emulation/emulator.h"
#include "tests/cuda_emulation/memory.h"
#include "tests/cuda_emulation/stream.h"

using namespace cuda_emulation;

struct cublasContext {
  cudaStream_t stream = nullptr;
};

namespace {

// A batch of column-major matrices, `stride` elements apart.
struct Matrices {
  const void* data;
  cudaDataType type;
  int64_t rows, columns;
  int64_t leading;  // elements from one column to the next
  int64_t stride;

  int64_t element(int64_t batch, int64_t row, int64_t column) const {
    return batch * stride + column * leading + row;
  }
};

struct Product {
  Matrices a, b, c;
  bool transpose_a, transpose_b;
  int64_t m, n, k, batch;
  double alpha, beta;
  bool in_f64;
};

size_t size_of(cudaDataType type) {
  switch (type) {
    case CUDA_R_64F:
      return 8;
    case CUDA_R_32F:
      return 4;
    case CUDA_R_16F:
    case CUDA_R_16BF:
      return 2;
    default:
      return 0;
  }
}

double load(const void* data, cudaDataType type, int64_t i) {
  switch (type) {
    case CUDA_R_64F:
      return static_cast<const double*>(data)[i];
    case CUDA_R_32F:
      return static_cast<const float*>(data)[i];
    case CUDA_R_16F:
      return __half2float(static_cast<const __half*>(data)[i]);
    default:
      return __bfloat162float(static_cast<const __nv_bfloat16*>(data)[i]);
  }
}

void store(void* data, cudaDataType type, int64_t i, double value) {
  switch (type) {
    case CUDA_R_64F:
      static_cast<double*>(data)[i] = value;
      break;
    case CUDA_R_32F:
      static_cast<float*>(data)[i] = static_cast<float>(value);
      break;
    case CUDA_R_16F:
      static_cast<__half*>(data)[i] = __float2half(static_cast<float>(value));
      break;
    default:
      static_cast<__nv_bfloat16*>(data)[i] = __float2bfloat16(static_cast<float>(value));
  }
}

// One matrix of the batch in the compute type, its columns packed.
template <class T>
std::vector<T> read(const Matrices& x, int64_t batch) {
  std::vector<T> values(static_cast<size_t>(x.rows * x.columns));
  for (int64_t j = 0; j < x.columns; ++j) {
    for (int64_t i = 0; i < x.rows; ++i) {
      values[static_cast<size_t>(j * x.rows + i)] =
          static_cast<T>(load(x.data, x.type, x.element(batch, i, j)));
    }
  }
  return values;
}

template <class T>
void multiply(const Product& p) {
  std::vector<T> column(static_cast<size_t>(p.m));
  for (int64_t batch = 0; batch < p.batch; ++batch) {
    const std::vector<T> a = read<T>(p.a, batch), b = read<T>(p.b, batch);
    const int64_t row_step = p.transpose_a ? p.a.rows : 1, sum_step = p.transpose_a ? 1 : p.a.rows;
    for (int64_t j = 0; j < p.n; ++j) {
      std::fill(column.begin(), column.end(), T{0});
      for (int64_t l = 0; l < p.k; ++l) {
        const T factor =
            b[static_cast<size_t>(p.transpose_b ? l * p.b.rows + j : j * p.b.rows + l)];
        const T* source = &a[static_cast<size_t>(l * sum_step)];
        for (int64_t i = 0; i < p.m; ++i)
          column[static_cast<size_t>(i)] += factor * source[i * row_step];
      }
      for (int64_t i = 0; i < p.m; ++i) {
        const int64_t at = p.c.element(batch, i, j);
        // With beta 0 the old value is not read: it may be NaN.
        const double old = p.beta == 0.0 ? 0.0 : p.beta * load(p.c.data, p.c.type, at);
        store(const_cast<void*>(p.c.data), p.c.type, at,
              p.alpha * static_cast<double>(column[static_cast<size_t>(i)]) + old);
      }
    }
  }
}

// Are all matrices within one block of device memory? If not, reports it.
bool is_in_one_block(const char* name, const Matrices& x, int64_t batch) {
  if (x.rows == 0 || x.columns == 0 || batch == 0) return true;
  const int64_t last = x.element(batch - 1, x.rows - 1, x.columns - 1);
  const size_t bytes = static_cast<size_t>(last + 1) * size_of(x.type);
  if (is_device_block(x.data, bytes)) return true;
  report("cuBLAS: matrix ", name, " [", x.rows, ",", x.columns, "] with leading dimension ",
         x.leading, ", ", batch, " times with stride ", x.stride,
         ", is not within one block of device memory");
  return false;
}

bool overlaps_itself(const Matrices& c, int64_t batch) {
  return batch > 1 && c.rows > 0 && c.columns > 0 &&
         c.stride < (c.columns - 1) * c.leading + c.rows;
}

cublasStatus_t enqueue_product(cublasHandle_t handle, const Product& p) {
  if (p.m < 0 || p.n < 0 || p.k < 0 || p.batch < 0) return CUBLAS_STATUS_INVALID_VALUE;
  for (const Matrices* x : {&p.a, &p.b, &p.c}) {
    if (size_of(x->type) == 0) return CUBLAS_STATUS_NOT_SUPPORTED;
    if (x->leading < std::max<int64_t>(1, x->rows)) {
      report("cuBLAS: leading dimension ", x->leading, " is less than the ", x->rows, " rows");
      return CUBLAS_STATUS_INVALID_VALUE;
    }
  }
  if (p.m == 0 || p.n == 0 || p.batch == 0) return CUBLAS_STATUS_SUCCESS;
  if (overlaps_itself(p.c, p.batch)) {
    report("cuBLAS: the results of a batch overlap: their stride is only ", p.c.stride);
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  if (!is_in_one_block("A", p.a, p.batch) || !is_in_one_block("B", p.b, p.batch) ||
      !is_in_one_block("C", p.c, p.batch)) {
    return CUBLAS_STATUS_EXECUTION_FAILED;
  }
  enqueue(stream_of(handle->stream), [p] { p.in_f64 ? multiply<double>(p) : multiply<float>(p); });
  return CUBLAS_STATUS_SUCCESS;
}

}  // namespace

extern "C" {

cublasStatus_t cublasCreate_v2(cublasHandle_t* handle) {
  const Call call("cublasCreate");
  if (call.fails) return CUBLAS_STATUS_NOT_INITIALIZED;
  *handle = new cublasContext;
  add_live(*handle, "a cuBLAS handle");
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasDestroy_v2(cublasHandle_t handle) {
  const Call call("cublasDestroy");
  if (!is_live(handle)) return CUBLAS_STATUS_NOT_INITIALIZED;
  remove_live(handle);
  delete handle;
  return call.fails ? CUBLAS_STATUS_INTERNAL_ERROR : CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSetStream_v2(cublasHandle_t handle, cudaStream_t stream) {
  const Call call("cublasSetStream");
  if (!is_live(handle) || call.fails) return CUBLAS_STATUS_NOT_INITIALIZED;
  handle->stream = stream;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSetMathMode(cublasHandle_t handle, cublasMath_t) {
  const Call call("cublasSetMathMode");
  return is_live(handle) && !call.fails ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_NOT_INITIALIZED;
}

cublasStatus_t cublasSetWorkspace_v2(cublasHandle_t handle, void* workspace, size_t bytes) {
  const Call call("cublasSetWorkspace");
  if (!is_live(handle) || call.fails) return CUBLAS_STATUS_NOT_INITIALIZED;
  return is_device_block(workspace, bytes) && reinterpret_cast<size_t>(workspace) % 256 == 0
             ? CUBLAS_STATUS_SUCCESS
             : CUBLAS_STATUS_INVALID_VALUE;
}

// Scalars are read now; the product runs when the stream reaches it.
cublasStatus_t cublasGemmStridedBatchedEx(cublasHandle_t handle, cublasOperation_t transpose_a,
                                          cublasOperation_t transpose_b, int m, int n, int k,
                                          const void* alpha, const void* a, cudaDataType a_type,
                                          int a_leading, long long a_stride, const void* b,
                                          cudaDataType b_type, int b_leading, long long b_stride,
                                          const void* beta, void* c, cudaDataType c_type,
                                          int c_leading, long long c_stride, int batch,
                                          cublasComputeType_t compute, cublasGemmAlgo_t) {
  const Call call("cublasGemmStridedBatchedEx");
  if (!is_live(handle)) return CUBLAS_STATUS_NOT_INITIALIZED;
  if (call.fails) return CUBLAS_STATUS_EXECUTION_FAILED;
  const bool ta = transpose_a != CUBLAS_OP_N, tb = transpose_b != CUBLAS_OP_N;
  const bool in_f64 = compute == CUBLAS_COMPUTE_64F;
  const cudaDataType scalar = in_f64 ? CUDA_R_64F : CUDA_R_32F;
  return enqueue_product(handle, {.a = {a, a_type, ta ? k : m, ta ? m : k, a_leading, a_stride},
                                  .b = {b, b_type, tb ? n : k, tb ? k : n, b_leading, b_stride},
                                  .c = {c, c_type, m, n, c_leading, c_stride},
                                  .transpose_a = ta,
                                  .transpose_b = tb,
                                  .m = m,
                                  .n = n,
                                  .k = k,
                                  .batch = batch,
                                  .alpha = load(alpha, scalar, 0),
                                  .beta = load(beta, scalar, 0),
                                  .in_f64 = in_f64});
}

const char* cublasGetStatusName(cublasStatus_t status) {
  switch (status) {
    case CUBLAS_STATUS_SUCCESS:
      return "CUBLAS_STATUS_SUCCESS";
    case CUBLAS_STATUS_NOT_INITIALIZED:
      return "CUBLAS_STATUS_NOT_INITIALIZED";
    case CUBLAS_STATUS_INVALID_VALUE:
      return "CUBLAS_STATUS_INVALID_VALUE";
    case CUBLAS_STATUS_EXECUTION_FAILED:
      return "CUBLAS_STATUS_EXECUTION_FAILED";
    case CUBLAS_STATUS_INTERNAL_ERROR:
      return "CUBLAS_STATUS_INTERNAL_ERROR";
    case CUBLAS_STATUS_NOT_SUPPORTED:
      return "CUBLAS_STATUS_NOT_SUPPORTED";
    default:
      return "another cuBLAS status";
  }
}

}  // extern "C"
