// What this machine can do at most, measured: the limits that benchmarks compare kernels with.
#pragma once

namespace apps {

// Multiply-adds in registers on all OpenMP threads, in GFLOP/s. Takes about `seconds`.
double measure_fma_gflops(double seconds = 0.1);

// Copying float arrays much larger than any cache, in GB/s of reads and writes together. Takes
// about `seconds`.
double measure_memory_gbytes(double seconds = 0.2);

}  // namespace apps
