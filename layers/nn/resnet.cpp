#include "layers/nn/resnet.h"

#include <algorithm>
#include <array>

namespace layers {
namespace {

struct Architecture {
  const char* name;
  std::array<int64_t, 4> blocks;
  bool bottleneck;
};

constexpr Architecture kArchitectures[] = {
    {"resnet18", {2, 2, 2, 2}, false},  {"resnet34", {3, 4, 6, 3}, false},
    {"resnet50", {3, 4, 6, 3}, true},   {"resnet101", {3, 4, 23, 3}, true},
    {"resnet152", {3, 8, 36, 3}, true},
};

const Architecture& architecture(const std::string& name) {
  const auto* found = std::ranges::find(kArchitectures, name, &Architecture::name);
  if (found == std::end(kArchitectures)) {
    std::string known;
    for (const Architecture& a : kArchitectures) known += std::string(" ") + a.name;
    engine::fail("arch: expected one of", known, ", found '", name, "'");
  }
  return *found;
}

Conv2dSettings conv(int64_t in, int64_t out, int64_t kernel, int64_t stride = 1) {
  return {
      .in = in, .out = out, .kernel = kernel, .options = {.stride = stride, .padding = kernel / 2}};
}

// The shortcut of a block that changes channels or resolution: a 1x1 convolution and BN, called "0"
// and "1" in the published names.
class Downsample : public Module {
 public:
  Downsample(int64_t in, int64_t out, int64_t stride, Init& init)
      : conv_(conv(in, out, 1, stride), init), bn_(out, init) {
    add_child("0", conv_);
    add_child("1", bn_);
  }
  Var forward(const Var& x, const Mode& mode) { return bn_.forward(conv_.forward(x), mode); }

 private:
  Conv2d conv_;
  BatchNorm2d bn_;
};

std::unique_ptr<Downsample> make_downsample(int64_t in, int64_t out, int64_t stride, Init& init) {
  if (in == out && stride == 1) return nullptr;
  return std::make_unique<Downsample>(in, out, stride, init);
}

// The last BN of a block starts with weight 0, so that every block starts as the identity.
constexpr double kLastBnWeight = 0.0;

// conv3x3 - BN - ReLU - conv3x3 - BN, plus shortcut, ReLU.
class BasicBlock : public Block {
 public:
  BasicBlock(int64_t in, int64_t width, int64_t stride, Init& init)
      : conv1_(conv(in, width, 3, stride), init),
        bn1_(width, init),
        conv2_(conv(width, width, 3), init),
        bn2_(width, init, kLastBnWeight),
        downsample_(make_downsample(in, width, stride, init)) {
    add_child("conv1", conv1_);
    add_child("bn1", bn1_);
    add_child("conv2", conv2_);
    add_child("bn2", bn2_);
    if (downsample_) add_child("downsample", *downsample_);
  }

  Var forward(const Var& x, const Mode& mode) override {
    const Var shortcut = downsample_ ? downsample_->forward(x, mode) : x;
    const Var y = bn1_.forward(conv1_.forward(x), mode, {.relu = true});
    return bn2_.forward(conv2_.forward(y), mode, {.residual = shortcut, .relu = true});
  }

 private:
  Conv2d conv1_;
  BatchNorm2d bn1_;
  Conv2d conv2_;
  BatchNorm2d bn2_;
  std::unique_ptr<Downsample> downsample_;
};

constexpr int64_t kExpansion = 4;

// conv1x1 - BN - ReLU - conv3x3 - BN - ReLU - conv1x1 (4x wider) - BN, plus shortcut, ReLU.
class Bottleneck : public Block {
 public:
  Bottleneck(int64_t in, int64_t width, int64_t stride, Init& init)
      : conv1_(conv(in, width, 1), init),
        bn1_(width, init),
        conv2_(conv(width, width, 3, stride), init),
        bn2_(width, init),
        conv3_(conv(width, kExpansion * width, 1), init),
        bn3_(kExpansion * width, init, kLastBnWeight),
        downsample_(make_downsample(in, kExpansion * width, stride, init)) {
    add_child("conv1", conv1_);
    add_child("bn1", bn1_);
    add_child("conv2", conv2_);
    add_child("bn2", bn2_);
    add_child("conv3", conv3_);
    add_child("bn3", bn3_);
    if (downsample_) add_child("downsample", *downsample_);
  }

  Var forward(const Var& x, const Mode& mode) override {
    const Var shortcut = downsample_ ? downsample_->forward(x, mode) : x;
    Var y = bn1_.forward(conv1_.forward(x), mode, {.relu = true});
    y = bn2_.forward(conv2_.forward(y), mode, {.relu = true});
    return bn3_.forward(conv3_.forward(y), mode, {.residual = shortcut, .relu = true});
  }

 private:
  Conv2d conv1_;
  BatchNorm2d bn1_;
  Conv2d conv2_;
  BatchNorm2d bn2_;
  Conv2d conv3_;
  BatchNorm2d bn3_;
  std::unique_ptr<Downsample> downsample_;
};

}  // namespace

ResNet::Stage::Stage(int64_t in, int64_t width, int64_t count, int64_t stride, bool bottleneck,
                     Init& init) {
  const int64_t out = bottleneck ? kExpansion * width : width;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t from = i == 0 ? in : out, step = i == 0 ? stride : 1;
    if (bottleneck) {
      blocks.push_back(std::make_unique<Bottleneck>(from, width, step, init));
    } else {
      blocks.push_back(std::make_unique<BasicBlock>(from, width, step, init));
    }
    add_child(std::to_string(i), *blocks.back());
  }
}

ResNet::ResNet(const std::string& arch, Init& init)
    : conv1_({.in = 3, .out = 64, .kernel = 7, .options = {.stride = 2, .padding = 3}}, init),
      bn1_(64, init) {
  const Architecture& a = architecture(arch);
  add_child("conv1", conv1_);
  add_child("bn1", bn1_);
  int64_t channels = 64;
  for (int64_t i = 0; i < 4; ++i) {
    const int64_t width = int64_t{64} << i, stride = i == 0 ? 1 : 2;
    stages_.push_back(std::make_unique<Stage>(channels, width, a.blocks[static_cast<size_t>(i)],
                                              stride, a.bottleneck, init));
    add_child("layer" + std::to_string(i + 1), *stages_.back());
    channels = a.bottleneck ? kExpansion * width : width;
  }
  out_channels_ = channels;
}

Var ResNet::forward(const Var& image, const Mode& mode) {
  Var x = bn1_.forward(conv1_.forward(image), mode, {.relu = true});
  x = max_pool2d(x, {.size = 3, .stride = 2, .padding = 1});
  for (const auto& stage : stages_) {
    for (const auto& block : stage->blocks) x = block->forward(x, mode);
  }
  return x;
}

std::vector<std::string> resnet_names() {
  std::vector<std::string> names;
  for (const Architecture& a : kArchitectures) names.emplace_back(a.name);
  return names;
}

}  // namespace layers
