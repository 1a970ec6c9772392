// Which lane of a communicator a training step uses for what. Whatever runs at the same time has a
// lane of its own; see engine/ranks/communicator.h.
#pragma once

namespace pixpro {

enum Lane : int {
  kOnlineLane,    // batch normalisation of the online branch, forward and backward
  kTargetLane,    // batch normalisation of the target branch
  kGradientLane,  // sums of gradients
  kNumbersLane,   // everything else: the numbers of a step, the state at the beginning
  kLanes,
};

}  // namespace pixpro
