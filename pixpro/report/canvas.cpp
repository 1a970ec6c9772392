#include "pixpro/report/canvas.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

namespace pixpro {
namespace {

void blend(uint8_t* pixel, const Ink& ink, double coverage) {
  const double amount = ink.opacity * coverage;
  for (size_t c = 0; c < 3; ++c) {
    pixel[c] = static_cast<uint8_t>(std::lround(pixel[c] + amount * (ink.rgb[c] - pixel[c])));
  }
}

double distance_to_segment(Point p, Point a, Point b) {
  const double dx = b.x - a.x, dy = b.y - a.y, length2 = dx * dx + dy * dy;
  const double along =
      length2 > 0 ? std::clamp(((p.x - a.x) * dx + (p.y - a.y) * dy) / length2, 0.0, 1.0) : 0.0;
  return std::hypot(p.x - a.x - along * dx, p.y - a.y - along * dy);
}

// Pixels of the canvas: columns x0 .. x1 - 1 of rows y0 .. y1 - 1.
struct Region {
  int x0, y0, x1, y1;
};

Region region_around(const Image& canvas, std::span<const Point> points, double margin) {
  Point low = points[0], high = points[0];
  for (const Point& p : points) {
    low = {std::min(low.x, p.x), std::min(low.y, p.y)};
    high = {std::max(high.x, p.x), std::max(high.y, p.y)};
  }
  const auto inside = [](double value, int limit) {
    return static_cast<int>(std::clamp(std::floor(value), 0.0, static_cast<double>(limit)));
  };
  return {inside(low.x - margin, canvas.width), inside(low.y - margin, canvas.height),
          inside(high.x + margin + 1, canvas.width), inside(high.y + margin + 1, canvas.height)};
}

}  // namespace

std::array<uint8_t, 3> bright_color(double hue) {
  std::array<uint8_t, 3> rgb;
  for (size_t c = 0; c < 3; ++c) {
    const double turn = hue - static_cast<double>(c) / 3.0;
    const double wave = 0.5 + 0.5 * std::cos(2.0 * std::numbers::pi * turn);
    rgb[c] = static_cast<uint8_t>(std::lround(30.0 + 215.0 * wave));
  }
  return rgb;
}

void fill(Image& canvas, const Rect& rect, const Ink& ink) {
  const auto overlap = [](double low, double high, int pixel) {
    return std::clamp(std::min(high, pixel + 1.0) - std::max(low, static_cast<double>(pixel)), 0.0,
                      1.0);
  };
  const Point corners[] = {rect.at(0, 0), rect.at(1, 1)};
  const Region region = region_around(canvas, corners, 0);
  for (int y = region.y0; y < region.y1; ++y) {
    const double rows = overlap(corners[0].y, corners[1].y, y);
    for (int x = region.x0; x < region.x1; ++x) {
      blend(canvas.row(y) + 3 * x, ink, rows * overlap(corners[0].x, corners[1].x, x));
    }
  }
}

void stroke(Image& canvas, std::span<const Point> points, double width, const Ink& ink) {
  // A pixel is blended once, with its largest coverage, so that a translucent line has no dark
  // joints.
  const Region all = region_around(canvas, points, width);
  const int columns = std::max(all.x1 - all.x0, 0), rows = std::max(all.y1 - all.y0, 0);
  std::vector<double> coverage(static_cast<size_t>(columns) * static_cast<size_t>(rows));
  const auto at = [&](int x, int y) -> double& {
    return coverage[static_cast<size_t>(y - all.y0) * static_cast<size_t>(columns) +
                    static_cast<size_t>(x - all.x0)];
  };
  for (size_t i = 0; i < points.size(); ++i) {
    const Point ends[] = {points[i], points[std::min(i + 1, points.size() - 1)]};
    const Region near = region_around(canvas, ends, width);
    for (int y = near.y0; y < near.y1; ++y) {
      for (int x = near.x0; x < near.x1; ++x) {
        const double distance = distance_to_segment({x + 0.5, y + 0.5}, ends[0], ends[1]);
        at(x, y) = std::max(at(x, y), std::clamp(width / 2 + 0.5 - distance, 0.0, 1.0));
      }
    }
  }
  for (int y = all.y0; y < all.y1; ++y) {
    for (int x = all.x0; x < all.x1; ++x) blend(canvas.row(y) + 3 * x, ink, at(x, y));
  }
}

void frame(Image& canvas, const Rect& rect, double width, const Ink& ink) {
  const Point corners[] = {rect.at(0, 0), rect.at(1, 0), rect.at(1, 1), rect.at(0, 1),
                           rect.at(0, 0)};
  stroke(canvas, corners, width, ink);
}

void connect(Image& canvas, Point from, Point to, double width, const Ink& ink) {
  constexpr int kPieces = 32;
  std::array<Point, kPieces + 1> points;
  for (int i = 0; i <= kPieces; ++i) {
    const double t = static_cast<double>(i) / kPieces;
    const double ease = t * t * (3.0 - 2.0 * t);
    points[static_cast<size_t>(i)] = {from.x + t * (to.x - from.x),
                                      from.y + ease * (to.y - from.y)};
  }
  stroke(canvas, points, width, ink);
}

void paste(Image& canvas, const Image& image, int left, int top) {
  const int x0 = std::max(left, 0), x1 = std::min(left + image.width, canvas.width);
  const int y0 = std::max(top, 0), y1 = std::min(top + image.height, canvas.height);
  for (int y = y0; y < y1 && x0 < x1; ++y) {
    std::copy_n(image.row(y - top) + 3 * (x0 - left), 3 * (x1 - x0), canvas.row(y) + 3 * x0);
  }
}

}  // namespace pixpro
