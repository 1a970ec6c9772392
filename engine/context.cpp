#include "engine/context.h"

#include "engine/cpu/lanes.h"

namespace engine {

CpuContext::CpuContext() : channel_block_(kLanes) {}

CpuContext& cpu_context() {
  thread_local CpuContext context;
  return context;
}

Layout activation_layout(Device device, DType dtype, int64_t channels) {
  if (device.type == Device::Type::cuda) return Layout::nhwc;
  const CpuContext& context = cpu_context();
  if (dtype != DType::f32 || !context.use_library || channels % context.channel_block() != 0) {
    return Layout::plain;
  }
  return context.channel_block() == 16 ? Layout::blocked16 : Layout::blocked8;
}

Layout parameter_layout(Device device, const Shape& shape) {
  const bool is_filter = shape.axes() == 4;
  return device.type == Device::Type::cuda && is_filter ? Layout::nhwc : Layout::plain;
}

}  // namespace engine
