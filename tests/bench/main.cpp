// One program for all benchmarks of the kernels.
#include <benchmark/benchmark.h>

BENCHMARK_MAIN();
