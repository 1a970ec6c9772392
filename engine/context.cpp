#include "engine/context.h"

#include "engine/cpu/lanes.h"

namespace engine {

CpuContext& cpu_context() {
  thread_local CpuContext context;
  return context;
}

Layout activation_layout(Device device, DType dtype, int64_t channels) {
  if (device.type == Device::Type::cuda) return Layout::nhwc;
  const bool reference = cpu_context().settings.conv_policy == ConvPolicy::reference;
  const bool fills_blocks = channels % kLanes == 0;
  return dtype == DType::f32 && !reference && fills_blocks ? kLaneLayout : Layout::plain;
}

Layout parameter_layout(Device device, const Shape& shape) {
  const bool is_filter = shape.axes() == 4;
  return device.type == Device::Type::cuda && is_filter ? Layout::nhwc : Layout::plain;
}

}  // namespace engine
