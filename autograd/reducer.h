// Adds up the gradients of all ranks while the backward sweep still runs, as PyTorch's
// DistributedDataParallel does (Li et al., VLDB 2020).
#pragma once

#include <vector>

#include "autograd/var.h"
#include "engine/ranks/communicator.h"

namespace autograd {

// Gradients are added up in buckets, each in one message. A sweep ends with the parameters that
// were registered first, so buckets are filled from the last parameter on. The first bucket is
// small, so that the first sum begins early.
struct ReducerOptions {
  int64_t first_bucket_bytes = int64_t{1} << 20;
  // The most of any other bucket. A parameter that is larger has a bucket of its own.
  int64_t bucket_bytes = int64_t{25} << 20;
  // Adds up gradients as bf16, which halves the bytes, instead of in their own type. Each rank's
  // gradient is rounded, and so may be each of the additions: with R ranks the sum of g_0 to g_R-1
  // is wrong by at most (|g_0| + ... + |g_R-1|) ((1 + 2^-8)^R - 1), about R / 256 of the ranks'
  // absolute values. It has the same bits on every rank.
  bool in_bf16 = false;
};

// In each step:
//   reducer.arm();        before the last sweep
//   tape.backward(loss);
//   reducer.finish();     from now on the gradients are the sums over all ranks
// Sweeps before arm() (gradient accumulation) gather gradients on each rank as without a reducer.
//
// During the armed sweep a gradient that is complete is copied to its place in a bucket, which
// becomes Var::grad(); a bucket that is full is added up on the lane. Buckets start in a fixed
// order, whatever the order in which gradients arrive. Every rank contributes to every parameter:
// if no gradient has arrived, zeros.
class GradientReducer {
 public:
  // `parameters` in the order of registration. Those that need no gradient are left out. Nothing
  // else may use the lane until finish(). Every rank makes its reducer at the same time; throws if
  // they differ in the parameters' shapes or types, or in the options.
  GradientReducer(const std::vector<Var>& parameters, engine::Communicator& lane,
                  const ReducerOptions& options = {});
  ~GradientReducer();
  GradientReducer(const GradientReducer&) = delete;
  GradientReducer& operator=(const GradientReducer&) = delete;

  void arm();
  void finish();

 private:
  struct Place {
    Var parameter;
    size_t bucket;
    int64_t begin;  // first element in the bucket
    bool is_filled = false;
  };
  struct Bucket {
    DType dtype, sent_dtype;
    int64_t elements = 0, places = 0;
    int64_t empty_places = 0;  // until it is full
    // [elements], to finish(): the gradients, from the first filled place on, and what is added up
    // once all are. One tensor if their types are equal.
    Tensor flat{}, sent{};
    engine::Ticket sum{};
  };

  void assign_buckets(const std::vector<Var>& parameters, const ReducerOptions& options);
  void require_same_on_all_ranks() const;
  void fill(Place& place);
  void start_full_buckets();

  engine::Communicator& lane_;
  std::vector<Place> places_;  // in the order of the buckets
  std::vector<Bucket> buckets_;
  size_t next_ = 0;  // the first bucket that has not been started
  bool armed_ = false;
};

}  // namespace autograd
