#include "pixpro/data/augment/resize.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "engine/arithmetic.h"
#include "engine/error.h"
#include "pixpro/data/augment/resize_weights.h"

namespace pixpro {
namespace {

// A pixel is packed into 32 bits: from the lowest byte on red, green, blue and an unused byte.
constexpr int kLanes = 16;
using Lanes = int32_t __attribute__((vector_size(4 * kLanes)));

// The weighted sums of 16 pixels.
struct Sums {
  Lanes red = Lanes{} + kResizeHalf, green = Lanes{} + kResizeHalf, blue = Lanes{} + kResizeHalf;

  void add(const Lanes& pixels, int32_t weight) {
    red += (pixels & 255) * weight;
    green += (pixels >> 8 & 255) * weight;
    blue += (pixels >> 16 & 255) * weight;
  }

  // Rounds the sums. They are positive, and exceed 255 only because weights are rounded.
  void pack(Lanes& pixels) {
    for (Lanes* sum : {&red, &green, &blue}) {
      *sum >>= kResizeBits;
      *sum = *sum > 255 ? 255 : *sum;
    }
    pixels = red | green << 8 | blue << 16;
  }
};

}  // namespace

// Resizes a strip of 16 rows at a time. The strip is transposed, so that each lane holds one row
// and one weight serves all lanes. Rows that have been resized horizontally wait in a ring, small
// enough to stay in the cache, until all rows that an output row needs are there.
class RowResizer::Passes {
 public:
  Passes(Size from, Size to, bool flip)
      : from_(from),
        columns_(resize_weights(from.width, to.width, flip)),
        rows_(resize_weights(from.height, to.height, false)),
        stride_(static_cast<int>(engine::round_up(to.width, kLanes))),
        strip_(static_cast<size_t>(from.width)),
        line_(static_cast<size_t>(stride_)),
        out_(to.width, to.height) {
    while (ring_rows_ < rows_.taps + kLanes) ring_rows_ *= 2;
    ring_.resize(static_cast<size_t>(ring_rows_) * static_cast<size_t>(stride_));
  }

  void add(const uint8_t* pixels, int64_t stride, int rows) {
    for (int done = 0; done < rows; done += kLanes) {
      const int part = std::min(kLanes, rows - done);
      load_strip(pixels + done * stride, stride, part);
      resize_strip(part);
    }
  }

  ColorPlanes take() { return std::move(out_); }

 private:
  int32_t* ring_row(int y) {
    return ring_.data() + static_cast<int64_t>(y & (ring_rows_ - 1)) * stride_;
  }

  // Lanes beyond the last row repeat it.
  void load_strip(const uint8_t* pixels, int64_t stride, int rows) {
    const uint8_t* in[kLanes];
    for (int r = 0; r < kLanes; ++r) in[r] = pixels + std::min(r, rows - 1) * stride;
    const int last = from_.width - 1;
    for (int x = 0; x < last; ++x) {
      int32_t column[kLanes];
      for (int r = 0; r < kLanes; ++r) std::memcpy(&column[r], in[r] + 3 * x, 4);
      std::memcpy(&strip_[static_cast<size_t>(x)], column, sizeof column);
    }
    int32_t column[kLanes] = {};  // of the last pixel: no byte after it may be read
    for (int r = 0; r < kLanes; ++r) std::memcpy(&column[r], in[r] + 3 * last, 3);
    std::memcpy(&strip_[static_cast<size_t>(last)], column, sizeof column);
  }

  // Resizes the strip's rows, then makes the output rows that are now complete.
  void resize_strip(int rows) {
    int32_t* out[kLanes];
    for (int r = 0; r < kLanes; ++r) out[r] = ring_row(rows_in_ + r);
    const int taps = columns_.taps;
    for (int x = 0; x < out_.width; ++x) {
      const Lanes* pixels = strip_.data() + columns_.first[static_cast<size_t>(x)];
      const int32_t* weight = columns_.at(x);
      Sums sums;
      for (int i = 0; i < taps; ++i) sums.add(pixels[i], weight[i]);
      Lanes packed;
      sums.pack(packed);
      for (int r = 0; r < kLanes; ++r) out[r][x] = packed[r];
    }
    rows_in_ += rows;
    while (rows_out_ < out_.height &&
           rows_.first[static_cast<size_t>(rows_out_)] + rows_.taps <= rows_in_) {
      resize_vertically(rows_out_++);
    }
  }

  void resize_vertically(int y) {
    const int first = rows_.first[static_cast<size_t>(y)], taps = rows_.taps;
    const int32_t* weight = rows_.at(y);
    for (int x = 0; x < stride_; x += kLanes) {
      Sums sums;
      for (int i = 0; i < taps; ++i) {
        Lanes pixels;
        std::memcpy(&pixels, ring_row(first + i) + x, sizeof pixels);
        sums.add(pixels, weight[i]);
      }
      Lanes packed;
      sums.pack(packed);
      std::memcpy(line_.data() + x, &packed, sizeof packed);
    }
    for (int c = 0; c < 3; ++c) {
      uint8_t* out = out_.plane(c) + static_cast<int64_t>(y) * out_.width;
      for (int x = 0; x < out_.width; ++x) {
        out[x] = static_cast<uint8_t>(line_[static_cast<size_t>(x)] >> 8 * c);
      }
    }
  }

  const Size from_;
  ResizeWeights columns_, rows_;
  const int stride_;  // pixels of a ring row
  int ring_rows_ = 1;
  std::vector<int32_t> ring_;
  std::vector<Lanes> strip_;  // [from.width], each the 16 pixels of a column
  std::vector<int32_t> line_;
  ColorPlanes out_;
  int rows_in_ = 0, rows_out_ = 0;
};

RowResizer::RowResizer(Size from, Size to, bool flip)
    : passes_(std::make_unique<Passes>(from, to, flip)) {}
RowResizer::~RowResizer() = default;
void RowResizer::add(const uint8_t* pixels, int64_t stride, int rows) {
  passes_->add(pixels, stride, rows);
}
ColorPlanes RowResizer::take() { return passes_->take(); }

ColorPlanes resized_crop(const Image& image, const Box& box, int width, int height, bool flip) {
  require_inside(box, {image.width, image.height});
  constexpr int64_t kMaxPixels = int64_t{1} << 28;
  engine::require(width >= 1 && height >= 1 && int64_t{width} * height <= kMaxPixels,
                  "resize: cannot make ", width, " x ", height, " pixels; at most ", kMaxPixels);
  RowResizer resizer({box.width, box.height}, {width, height}, flip);
  resizer.add(image.row(box.top) + 3 * box.left, int64_t{3} * image.width, box.height);
  return resizer.take();
}

Size size_with_shorter_side(Size size, int shorter) {
  const auto longer = [&](int side, int other) {
    return static_cast<int>(static_cast<int64_t>(shorter) * side / other);
  };
  return size.width <= size.height ? Size{shorter, longer(size.height, size.width)}
                                   : Size{longer(size.width, size.height), shorter};
}

Image resize_shorter(const Image& image, int shorter) {
  const Size size = size_with_shorter_side({image.width, image.height}, shorter);
  return to_image(resized_crop(image, {0, 0, image.width, image.height}, size.width, size.height));
}

Box central_box(Size image, int size) {
  // If the image is an odd number of pixels too small, the extra one is missing on the right.
  // nearbyint rounds halves to the even number, as Python does.
  const auto first = [&](int side) {
    return side < size ? -((size - side) / 2)
                       : static_cast<int>(std::nearbyint((side - size) / 2.0));
  };
  return {first(image.width), first(image.height), size, size};
}

Image center_crop(const Image& image, int size) {
  engine::require(size >= 1, "center crop: the size must be at least 1, found ", size);
  const Box box = central_box({image.width, image.height}, size);
  Image out(size, size);
  const int left = std::max(box.left, 0), right = std::min(box.left + size, image.width);
  for (int y = 0; y < size; ++y) {
    const int row = box.top + y;
    if (row < 0 || row >= image.height) continue;
    std::copy(image.row(row) + 3 * left, image.row(row) + 3 * right,
              out.row(y) + 3 * (left - box.left));
  }
  return out;
}

void flip_horizontally(ColorPlanes& image) {
  for (int64_t row = 0; row < int64_t{3} * image.height; ++row) {
    uint8_t* first = image.bytes.data() + row * image.width;
    std::reverse(first, first + image.width);
  }
}

}  // namespace pixpro
