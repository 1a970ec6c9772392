// What a training step on many H100s must lose to its messages, on paper.
#pragma once

#include <functional>
#include <string>

namespace paper_model {

// Seconds of a step on one GPU, and of its backward pass.
struct StepSeconds {
  double all = 0.0, backward = 0.0;
};

// Prints the messages of a step and the efficiency of 8, 64 and 1024 ranks.
void print_scaling(const std::string& arch,
                   const std::function<StepSeconds(int64_t images)>& on_one_gpu);

}  // namespace paper_model
