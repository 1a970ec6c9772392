// ResNet (He et al., "Deep residual learning", CVPR 2016) up to C5: no final pooling, no
// classifier. As in torchvision, the 3x3 convolution of a bottleneck has the stride.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "layers/nn/basic.h"

namespace layers {

class Block : public Module {
 public:
  virtual Var forward(const Var& x, const Mode& mode) = 0;
};

class ResNet : public Module {
 public:
  // arch: resnet18, resnet34, resnet50, resnet101 or resnet152; throws on any other name.
  ResNet(const std::string& arch, Init& init);

  // [N,3,H,W] -> [N, out_channels, H/32, W/32] (each halving rounds up).
  Var forward(const Var& image, const Mode& mode);

  int64_t out_channels() const { return out_channels_; }  // 512 or 2048

 private:
  // One of the four sequences of blocks that share a resolution.
  struct Stage : Module {
    Stage(int64_t in, int64_t width, int64_t blocks, int64_t stride, bool bottleneck, Init& init);
    std::vector<std::unique_ptr<Block>> blocks;
  };

  Conv2d conv1_;
  BatchNorm2d bn1_;
  std::vector<std::unique_ptr<Stage>> stages_;
  int64_t out_channels_ = 0;
};

// The names that ResNet accepts, for messages and command lines.
std::vector<std::string> resnet_names();

}  // namespace layers
