#!/usr/bin/env bash
# Installs what is missing, builds everything in Release and runs every test, then some under
# sanitizers. If there is a CUDA toolkit, the CUDA backend is built too and run on the emulated device;
# no GPU is needed. At the end it lists what did not run. A test that skips itself for a reason that
# may_skip does not know is a failure.
set -euo pipefail
cd "$(dirname "$0")/.."
source apps/packages.sh
source tests/run_tests.sh
PATH=$PATH:/usr/local/cuda/bin

may_skip() {
  case "$1 $2" in
    release\ *[Cc]uda*)
      ! command -v nvcc >/dev/null && echo "no nvcc here" ;;
    *asan\ engine.Allocator.*)
      echo "AddressSanitizer sees the bounds of every tensor, because nothing is cached" ;;
    *san\ pixpro.FailingStorage.TheCacheGivesWayIfMemoryIsShort)
      echo "a sanitizer needs more address space than the test gives" ;;
    *asan\ pixpro.FailingStorage.TooManyOpenFilesAreAReadError)
      echo "UndefinedBehaviorSanitizer opens descriptors itself" ;;
    cuda*\ engine.Allocator.NamesADeviceItDoesNotServe)
      echo "this build serves CUDA" ;;
    *\ engine.ParallelFor.* | *\ engine.OnTwoThreads.*)
      [ "$(nproc)" = 1 ] && echo "needs two processors" ;;
    *\ engine.Conv2d.ReordersIfTheLibraryHasNoFastKernel)
      [ "$(uname -m)" != x86_64 ] && echo "which layouts are fast is known for x86-64 only" ;;
    *\ mpi.other)
      ! command -v mpicxx.mpich mpicxx.openmpi >/dev/null && echo "only one MPI is installed" ;;
    *\ mpi.hosts)
      ! ip netns add pixpro-probe 2>/dev/null && echo "network namespaces are not permitted here" ||
        { ip netns delete pixpro-probe && false; } ;;
    *\ apps.Faults.TerminationSavesAndExitsOnEveryRank)
      mpirun --version | grep -q '(Open MPI) 5' && echo "Open MPI 5 kills its ranks on SIGTERM" ;;
    *\ fuzz.libfuzzer)
      ! command -v apt-get >/dev/null && echo "no clang with its sanitizers, and no apt to install it" ;;
    *) false ;;
  esac
}

install_missing "${build_packages[@]}" "${test_packages[@]}"
bash tests/structure.sh
bash tests/run_tests_test.sh
cmake --preset release
cmake --build --preset release
run_tests release -E "$cuda_test_names"
bash tests/other_onednn.sh build/release || {
  [ $? = 77 ] || exit 1
  skips+=("the other oneDNN: pip cannot download it")
}

# If that ran with AVX-512, test the vectors of AVX2 too.
if grep -qw avx512f /proc/cpuinfo; then
  cmake --preset avx2
  cmake --build --preset avx2 --target test_engine
  run_tests avx2 -R '^engine\.' -E "$cuda_test_names"
else
  skips+=("the preset avx2: without AVX-512 the release has these vectors")
fi

# Under ThreadSanitizer, what consists of threads of C++: the loader, what its workers share, and what
# several ranks do at the same time. OpenMP has one thread there (the preset sets it): libgomp is not
# instrumented, so every parallel loop would look like a race. Kernels are instead tested for equal bits
# on any number of threads. TZ is set too: without it glibc looks up the time zone for each zip archive,
# under a lock that ThreadSanitizer does not see.
cmake --preset tsan
cmake --build --preset tsan --target test_autograd test_pixpro
run_tests tsan -R 'LoaderTest|SourceTest\.(ZipServes|Cache)|Reducer|SyncBatchNorm|Lockstep' -E BranchesOnTwoThreads

# Under AddressSanitizer and UndefinedBehaviorSanitizer, all but whole training steps, which consist of
# kernels that are tested alone, and the slowest tests of convolutions, of which shorter ones remain. A
# build with CUDA has the same code for the CPU. The preset does not look for uses of a stack frame after
# its function has returned: GCC 14 then keeps frames in memory that is not aligned for AVX-512, and the
# code crashes.
asan=asan
if command -v nvcc >/dev/null; then asan=cuda-asan; fi
cmake --preset "$asan"
cmake --build --preset "$asan" --target test_engine test_autograd test_pixpro test_fuzz
whole_steps='StepGolden|Trainer|Checkpoint|Weights|pixpro\.(Run\.|Ranks)'
slowest='OwnConvolution\.(DirectEqualsTheReferenceOnOdd|GivesTheSameBits|EqualsTheReferenceOnLarge)'
run_tests "$asan" -R '^(engine|autograd|pixpro)\.|Fuzz' -E "$cuda_test_names|$whole_steps|$slowest"

if ! command -v nvcc >/dev/null; then
  run_tests release -R "$cuda_test_names"
  report_skips
  exit
fi

cmake --preset cuda
cmake --build --preset cuda
run_tests cuda -R "$cuda_test_names"
# Those bypassed the caching allocator, which would hide what the emulation finds.
run_tests cuda-cached -R 'CudaAllocator|CudaTransfers|CudaStep\.(Neither|Memory)|CudaViews\.Take'
# The kernels again, with the threads of every block in other orders.
kernels='CudaOp|CudaMethod|CudaPixel|CudaViews|CudaRanks|engine\.Cuda'
run_tests cuda-reverse -R "$kernels"
run_tests cuda-random -R "$kernels"
# Copies and collectives that race ahead of the compute stream.
run_tests cuda-racing -R 'CudaTransfers|CudaViews|CudaNccl|CudaRanks|CudaStep\.TwoSteps'
# And under AddressSanitizer, which sees every access: the kernels, the error paths and the emulation.
cmake --build --preset cuda-asan --target test_cuda_emulation test_emulated
run_tests cuda-asan -R "$kernels|cuda_emulation|emulated\.(CudaFailures|CudaNccl|ConvLibrary)"
report_skips
