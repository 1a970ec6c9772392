#include "pixpro/report/pair_painting.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <set>

#include "engine/error.h"
#include "pixpro/data/augment/resize.h"
#include "pixpro/report/canvas.h"

namespace pixpro {
namespace {

constexpr int kMargin = 32, kPanel = 480, kGap = 72, kViewGap = 150;  // pixels
constexpr uint8_t kPaper = 255;
constexpr size_t kMaxLines = 24;
constexpr std::array<std::array<uint8_t, 3>, 2> kViewColors{{{240, 120, 20}, {30, 110, 230}}};

using Pairs = std::vector<std::pair<int64_t, int64_t>>;

// Red to green to violet from left to right, bright to dark from top to bottom.
std::array<uint8_t, 3> place_color(double across, double down) {
  std::array<uint8_t, 3> rgb = bright_color(0.8 * across);
  for (uint8_t& value : rgb) {
    const double mixed = down < 0.5 ? value + (255 - value) * (0.45 - 0.9 * down)
                                    : value * (1.0 - 1.1 * (down - 0.5));
    value = static_cast<uint8_t>(std::lround(mixed));
  }
  return rgb;
}

// The grid of a view: where its cells are in the view and in the original, as fractions of their
// size.
class Grid {
 public:
  Grid(const ViewPair& pair, int view)
      : columns_(pair.grid_width),
        rows_(pair.grid_height),
        flip_(pair.parameters[static_cast<size_t>(view)].flip) {
    const ViewParameters& parameters = pair.parameters[static_cast<size_t>(view)];
    const Box& crop = parameters.crop;
    Size whole{pair.original.width, pair.original.height};
    if (parameters.shorter_side > 0) whole = size_with_shorter_side(whole, parameters.shorter_side);
    const double width = whole.width, height = whole.height;
    crop_ = {crop.left / width, crop.top / height, crop.width / width, crop.height / height};
  }

  Rect crop() const { return crop_; }
  Point center(int64_t cell) const { return {across(cell), down(cell)}; }
  Point center_in_original(int64_t cell) const {
    return crop_.at(flip_ ? 1 - across(cell) : across(cell), down(cell));
  }

 private:
  double across(int64_t cell) const {
    return (static_cast<double>(cell % columns_) + 0.5) / columns_;
  }
  double down(int64_t cell) const { return (static_cast<double>(cell / columns_) + 0.5) / rows_; }

  int columns_, rows_;
  bool flip_;
  Rect crop_;
};

void check(const ViewPair& pair) {
  engine::require(pair.grid_width >= 1 && pair.grid_height >= 1, "paint_pairs: a grid of ",
                  pair.grid_width, " x ", pair.grid_height, " cells");
  const int64_t cells = int64_t{pair.grid_width} * pair.grid_height;
  for (const auto& [first, second] : pair.positives) {
    engine::require(first >= 0 && first < cells && second >= 0 && second < cells,
                    "paint_pairs: the pair (", first, ", ", second, ") in a grid of ", cells,
                    " cells");
  }
}

// All pairs if they are few. Otherwise, so that the lines can be told apart, one cell per row of
// view 1, further right in every row, each with its closest partner.
Pairs pairs_to_join(const ViewPair& pair, const std::array<Grid, 2>& grids) {
  if (pair.positives.size() <= kMaxLines) return pair.positives;
  std::map<int64_t, std::map<int64_t, std::pair<double, int64_t>>> rows;  // row: cell: closest
  for (const auto& [first, second] : pair.positives) {
    const Point a = grids[0].center_in_original(first), b = grids[1].center_in_original(second);
    const std::pair<double, int64_t> found{std::hypot(a.x - b.x, a.y - b.y), second};
    const auto [entry, is_new] = rows[first / pair.grid_width].try_emplace(first, found);
    if (!is_new) entry->second = std::min(entry->second, found);
  }
  Pairs pairs;
  for (const auto& [row, closest] : rows) {
    const auto nth =
        static_cast<int64_t>((pairs.size() * 2 + 1) * closest.size() / (rows.size() * 2));
    const auto cell = std::next(closest.begin(), nth);
    pairs.emplace_back(cell->first, cell->second.second);
  }
  return pairs;
}

// A colour for every place in the original, so that cells at the same place match. The part with
// positive cells gets the whole range of colours.
class Palette {
 public:
  Palette(const ViewPair& pair, const std::array<Grid, 2>& grids) {
    for (const auto& [first, second] : pair.positives) {
      include(grids[0].center_in_original(first));
      include(grids[1].center_in_original(second));
    }
  }

  std::array<uint8_t, 3> color(Point place) const {
    const double across = (place.x - low_.x) / std::max(high_.x - low_.x, 1e-6);
    const double down = (place.y - low_.y) / std::max(high_.y - low_.y, 1e-6);
    return place_color(across, down);
  }

 private:
  void include(Point p) {
    low_ = {std::min(low_.x, p.x), std::min(low_.y, p.y)};
    high_ = {std::max(high_.x, p.x), std::max(high_.y, p.y)};
  }

  Point low_{1, 1}, high_{0, 0};
};

void dot(Image& canvas, Point center, double width, const std::array<uint8_t, 3>& color) {
  stroke(canvas, {&center, 1}, width + 4, {{255, 255, 255}, 1});
  stroke(canvas, {&center, 1}, width, {color, 1});
}

void paint_original(Image& canvas, const Rect& panel, const ViewPair& pair,
                    const std::array<Grid, 2>& grids) {
  const Image scaled =
      to_image(resized_crop(pair.original, {0, 0, pair.original.width, pair.original.height},
                            static_cast<int>(panel.width), static_cast<int>(panel.height)));
  paste(canvas, scaled, static_cast<int>(panel.left), static_cast<int>(panel.top));
  for (size_t v = 0; v < 2; ++v) {
    const Rect crop = grids[v].crop();
    const Point corner = panel.at(crop.left, crop.top);
    const Rect box{corner.x, corner.y, crop.width * panel.width, crop.height * panel.height};
    frame(canvas, box, 9, {{255, 255, 255}, 0.85});
    frame(canvas, box, 5, {kViewColors[v], 1});
  }
}

// The view with its grid; cells that are not `positive` are pale.
void paint_view(Image& canvas, const Rect& panel, const ViewPair& pair, size_t view,
                const std::set<int64_t>& positive) {
  const Image& image = pair.views[view];
  paste(canvas, to_image(resized_crop(image, {0, 0, image.width, image.height}, kPanel, kPanel)),
        static_cast<int>(panel.left), static_cast<int>(panel.top));
  const int columns = pair.grid_width, rows = pair.grid_height;
  const double width = panel.width / columns, height = panel.height / rows;
  for (int64_t cell = 0; cell < int64_t{columns} * rows; ++cell) {
    if (positive.contains(cell)) continue;
    const double x = static_cast<double>(cell % columns), y = static_cast<double>(cell / columns);
    fill(canvas, {panel.left + x * width, panel.top + y * height, width, height},
         {{kPaper, kPaper, kPaper}, 0.65});
  }
  const Ink pale{{255, 255, 255}, 0.6};
  for (int x = 1; x < columns; ++x) {
    fill(canvas, {panel.left + x * width - 0.75, panel.top, 1.5, panel.height}, pale);
  }
  for (int y = 1; y < rows; ++y) {
    fill(canvas, {panel.left, panel.top + y * height - 0.75, panel.width, 1.5}, pale);
  }
  frame(canvas, panel, 6, {kViewColors[view], 1});
}

void paint_lines(Image& canvas, const std::array<Rect, 2>& panels, const std::array<Grid, 2>& grids,
                 const Palette& palette, const Pairs& pairs) {
  for (const auto& [first, second] : pairs) {
    const Point a = grids[0].center(first), b = grids[1].center(second);
    const Point from = panels[0].at(a.x, a.y), to = panels[1].at(b.x, b.y);
    connect(canvas, from, to, 6, {{255, 255, 255}, 0.7});
    connect(canvas, from, to, 3, {palette.color(grids[0].center_in_original(first)), 1});
  }
}

}  // namespace

Image paint_pairs(const ViewPair& pair) {
  check(pair);
  // The original is as high as the views, unless it would be too wide.
  const double ratio = static_cast<double>(pair.original.width) / pair.original.height;
  const double width = std::floor(std::min(kPanel * ratio, 1.6 * kPanel));
  const double height = std::max(std::floor(width / ratio), 1.0);
  const Rect original{kMargin, std::floor(kMargin + (kPanel - height) / 2), std::max(width, 1.0),
                      height};
  const double left = original.left + original.width + kGap;
  const std::array<Rect, 2> panels{Rect{left, kMargin, kPanel, kPanel},
                                   Rect{left + kPanel + kViewGap, kMargin, kPanel, kPanel}};
  Image canvas(static_cast<int>(panels[1].left) + kPanel + kMargin, kPanel + 2 * kMargin);
  std::fill(canvas.rgb.begin(), canvas.rgb.end(), kPaper);

  const std::array<Grid, 2> grids{Grid(pair, 0), Grid(pair, 1)};
  const Palette palette(pair, grids);
  std::array<std::set<int64_t>, 2> positive;
  for (const auto& [first, second] : pair.positives) {
    positive[0].insert(first);
    positive[1].insert(second);
  }
  paint_original(canvas, original, pair, grids);
  for (size_t v = 0; v < 2; ++v) paint_view(canvas, panels[v], pair, v, positive[v]);
  paint_lines(canvas, panels, grids, palette, pairs_to_join(pair, grids));
  for (size_t v = 0; v < 2; ++v) {
    for (const int64_t cell : positive[v]) {
      const Point place = grids[v].center_in_original(cell), center = grids[v].center(cell);
      const auto color = palette.color(place);
      dot(canvas, original.at(place.x, place.y), 6, color);
      dot(canvas, panels[v].at(center.x, center.y), 16, color);
    }
  }
  return canvas;
}

}  // namespace pixpro
