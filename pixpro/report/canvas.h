// Smooth-edged shapes painted onto an image. Coordinates are in pixels; the centre of the upper
// left pixel is at (0.5, 0.5). Parts outside the image are left out.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "pixpro/data/image.h"

namespace pixpro {

struct Point {
  double x = 0, y = 0;
};

struct Rect {
  double left = 0, top = 0, width = 0, height = 0;
  Point at(double across, double down) const {  // (0, 0): upper left, (1, 1): lower right corner
    return {left + across * width, top + down * height};
  }
};

struct Ink {
  std::array<uint8_t, 3> rgb{};
  double opacity = 1;  // 0..1
};

// The pure colour of a hue, in turns modulo 1.
std::array<uint8_t, 3> bright_color(double hue);

void fill(Image& canvas, const Rect& rect, const Ink& ink);

// A line through all points, with round ends; a single point gives a disc of this diameter.
void stroke(Image& canvas, std::span<const Point> points, double width, const Ink& ink);

// The outline of the rectangle with rounded corners; half of its width is outside.
void frame(Image& canvas, const Rect& rect, double width, const Ink& ink);

// A curve that leaves `from` and reaches `to` horizontally.
void connect(Image& canvas, Point from, Point to, double width, const Ink& ink);

// Copies the image so that its upper left pixel is at (left, top).
void paste(Image& canvas, const Image& image, int left, int top);

}  // namespace pixpro
