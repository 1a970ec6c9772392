#include "apps/image_ops.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "engine/error.h"
#include "pixpro/data/augment/resize.h"
#include "pixpro/data/augment/steps.h"

namespace apps {
namespace {

using nlohmann::json;

constexpr int kMaxSide = 16384;  // of an image that an operation makes

// The parameters of one operation. One that is not taken is an error.
class Parameters {
 public:
  Parameters(const json& operation, std::string where)
      : operation_(operation), where_(std::move(where)) {}

  const std::string& where() const { return where_; }

  double number(const std::string& name, double low, double high) {
    const json& value = take(name, low, high);
    const double number = value.is_number() ? value.get<double>() : NAN;
    engine::require(number >= low && number <= high, where_, ": '", name,
                    "' must be a number from ", low, " to ", high, ", found ", value.dump());
    return number;
  }

  int whole(const std::string& name, double low, double high) {
    const double value = number(name, low, high);
    engine::require(value == std::floor(value), where_, ": '", name,
                    "' must be a whole number, found ", value);
    return static_cast<int>(value);
  }

  // One of the texts; the first one if the parameter is missing.
  std::string choice(const std::string& name, const std::vector<std::string>& texts) {
    taken_.insert(name);
    if (!operation_.contains(name)) return texts.front();
    const json& value = operation_[name];
    std::string known;
    for (const std::string& text : texts) {
      if (value == text) return text;
      known += (known.empty() ? "'" : " or '") + text + "'";
    }
    engine::fail(where_, ": '", name, "' must be ", known, ", found ", value.dump());
  }

  void expect_all_taken() const {
    for (const auto& [name, value] : operation_.items()) {
      engine::require(taken_.contains(name), where_, ": there is no parameter '", name, "'");
    }
  }

 private:
  const json& take(const std::string& name, double low, double high) {
    engine::require(operation_.contains(name), where_, ": '", name, "' is missing, a number from ",
                    low, " to ", high);
    taken_.insert(name);
    return operation_[name];
  }

  const json& operation_;
  const std::string where_;
  // Cases recorded as JSON also name their files.
  std::set<std::string> taken_ = {"op", "file", "source", "jpeg"};
};

void apply_resized_crop(pixpro::Image& image, Parameters& parameters) {
  const double last_column = image.width - 1, last_row = image.height - 1;
  pixpro::Box box;
  box.left = parameters.whole("left", 0, last_column);
  box.top = parameters.whole("top", 0, last_row);
  box.width = parameters.whole("width", 1, image.width - box.left);
  box.height = parameters.whole("height", 1, image.height - box.top);
  const int size = parameters.whole("size", 1, kMaxSide);
  image = to_image(pixpro::resized_crop(image, box, size, size));
}

void apply_resize_shorter(pixpro::Image& image, Parameters& parameters) {
  const int size = parameters.whole("size", 1, kMaxSide);
  const pixpro::Size result = pixpro::size_with_shorter_side({image.width, image.height}, size);
  engine::require(std::max(result.width, result.height) <= kMaxSide, parameters.where(),
                  ": the longer side would be more than ", kMaxSide, " pixels");
  image = pixpro::resize_shorter(image, size);
}

void apply_step(pixpro::Image& image, const pixpro::OpInfo& info, Parameters& parameters) {
  pixpro::Step step{info.op};
  if (info.is_whole) {
    step.amount = parameters.whole(info.parameter, info.low, info.high);
  } else if (info.parameter != nullptr) {
    step.amount = parameters.number(info.parameter, info.low, info.high);
  }
  if (info.is_warp) {
    step.bicubic = parameters.choice("interpolation", {"bilinear", "bicubic"}) == "bicubic";
  }
  parameters.expect_all_taken();
  pixpro::ColorPlanes planes = to_planes(image);
  pixpro::apply(planes, step);
  image = to_image(planes);
}

std::string names_of_all() {
  std::string names = "resized_crop, resize_shorter, center_crop, hflip";
  for (const pixpro::OpInfo& info : pixpro::op_infos()) names += std::string(", ") + info.name;
  return names;
}

void apply_operation(pixpro::Image& image, const json& operation, size_t number) {
  const std::string position = "--ops: operation " + std::to_string(number);
  engine::require(operation.is_object() && operation.contains("op") && operation["op"].is_string(),
                  position, ": expected an object with a name, {\"op\": \"hflip\"}, found ",
                  operation.dump());
  const std::string name = operation["op"];
  Parameters parameters(operation, position + " (" + name + ")");
  const auto infos = pixpro::op_infos();
  const auto step =
      std::ranges::find_if(infos, [&](const auto& info) { return info.name == name; });
  if (step != infos.end()) return apply_step(image, *step, parameters);
  if (name == "resized_crop") {
    apply_resized_crop(image, parameters);
  } else if (name == "resize_shorter") {
    apply_resize_shorter(image, parameters);
  } else if (name == "center_crop") {
    image = pixpro::center_crop(image, parameters.whole("size", 1, kMaxSide));
  } else if (name == "hflip") {
    pixpro::ColorPlanes planes = to_planes(image);
    flip_horizontally(planes);
    image = to_image(planes);
  } else if (name != "decode_jpeg") {  // done when the image was read
    engine::fail(position, ": there is no '", name, "'; there are ", names_of_all());
  }
  if (name.starts_with("resize")) parameters.choice("interpolation", {"bilinear, antialiased"});
  parameters.expect_all_taken();
}

}  // namespace

pixpro::Image apply_operations(pixpro::Image image, const std::string& text) {
  const json operations = json::parse(text, nullptr, false);
  engine::require(operations.is_array(),
                  "--ops: expected a JSON list, [{\"op\": \"hue\", \"shift\": 0.07}], found ",
                  text.substr(0, 80));
  for (size_t i = 0; i < operations.size(); ++i) apply_operation(image, operations[i], i + 1);
  return image;
}

}  // namespace apps
