// pixpro bench loader: how many images per second one core turns into pairs of views, and where its
// time goes.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <memory>

#include "apps/commands/commands.h"
#include "apps/flags/bit_depth.h"
#include "apps/flags/views.h"
#include "engine/profile.h"
#include "engine/random.h"
#include "engine/tensor.h"
#include "pixpro/data/batches/raw_view.h"
#include "pixpro/data/batches/sampler.h"
#include "pixpro/data/batches/views.h"
#include "pixpro/data/codecs/codec.h"
#include "pixpro/data/sources/file_bytes.h"

namespace apps {
namespace {

using Clock = std::chrono::steady_clock;

struct BenchFlags {
  std::filesystem::path image;
  ViewFlags views;
  BitDepthFlag bit_depth;
  int count = 500;
};

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Waves, a chequered pattern and noise as a JPEG of 500 x 375 pixels. It is as large as a typical
// image of ImageNet, and as much work for the decoder.
std::vector<uint8_t> bench_jpeg() {
  pixpro::Image image(500, 375);
  engine::Random random(0);
  std::array<double, 9> waves;
  for (double& wave : waves) wave = random.uniform(0.2, 2.2);
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x) {
      const double square = (x / 23 + y / 17) % 2 != 0 ? 0.5 : -0.5;
      for (size_t c = 0; c < 3; ++c) {
        const double wave =
            std::sin(x * waves[3 * c] / 9 + y * waves[3 * c + 1] / 13 + waves[3 * c + 2] * 7);
        const double value = 128 + 70 * (wave + square) + 25 * random.uniform(-1, 1);
        image.row(y)[3 * x + static_cast<int>(c)] =
            static_cast<uint8_t>(std::clamp(value, 0.0, 255.0));
      }
    }
  }
  return pixpro::encode_jpeg(image, 90);
}

void print_shares(const engine::Profile& profile, double seconds, int count) {
  using Row = std::pair<std::string, double>;
  std::vector<Row> rows;
  double known = 0;
  for (const auto& [name, total] : profile.kernels) {
    rows.emplace_back(name, total.seconds);
    known += total.seconds;
  }
  rows.emplace_back("the rest", seconds - known);
  std::ranges::sort(rows, std::greater<>(), &Row::second);
  std::printf("\n%-16s %12s %8s\n", "operation", "us/image", "share");
  for (const auto& [name, spent] : rows) {
    std::printf("%-16s %12.1f %7.1f%%\n", name.c_str(), 1e6 * spent / count, 100 * spent / seconds);
  }
}

void bench_loader(const BenchFlags& flags) {
  std::vector<uint8_t> bytes;
  pixpro::DecodeOptions decoding;
  if (flags.image.empty()) {
    bytes = bench_jpeg();
  } else {
    pixpro::read_file(flags.image, bytes);
    decoding = decode_options(flags.bit_depth, flags.image);
  }
  const pixpro::PairRecipe recipe = flags.views.recipe();
  const int64_t size = flags.views.image_size;
  const int64_t raw_bytes = pixpro::raw_view_bytes(flags.views.image_size);
  std::vector<float> views(static_cast<size_t>(2 * 3 * size * size)), boxes(8);
  engine::Tensor raw({2, raw_bytes}, engine::DType::u8);
  const auto slots =
      pixpro::PairRows<float>{views.data(), boxes.data(), 3 * size * size, 1}.slots(0);
  const auto raw_slots =
      pixpro::PairRows<uint8_t>{raw.data<uint8_t>(), boxes.data(), raw_bytes, 1}.slots(0);
  const auto make = [&](int sample) {
    const std::array streams{pixpro::view_stream(0, 0, sample, 0),
                             pixpro::view_stream(0, 0, sample, 1)};
    if (flags.views.on_gpu()) {
      make_views(bytes, recipe, flags.views.image_size, streams, raw_slots, decoding);
    } else {
      make_views(bytes, recipe, flags.views.image_size, streams, slots, decoding);
    }
  };
  for (int i = 0; i < 20; ++i) make(i);

  engine::Profile profile;
  engine::cpu_context().profile = &profile;
  const Clock::time_point start = Clock::now();
  for (int i = 0; i < flags.count; ++i) make(i);
  const double seconds = seconds_since(start);
  engine::cpu_context().profile = nullptr;
  std::printf("%s, %zu bytes, two views of %d pixels%s: %.1f images/s on one core\n",
              flags.views.aug.c_str(), bytes.size(), flags.views.image_size,
              flags.views.on_gpu() ? ", left for a GPU to finish" : "", flags.count / seconds);
  print_shares(profile, seconds, flags.count);
}

}  // namespace

void add_bench_loader(CLI::App& bench) {
  auto flags = std::make_shared<BenchFlags>();
  Command command(bench, "loader", "Time how one core decodes and augments images");
  command.add("--image", &flags->image, ChangesNumbers::yes,
              "Image file to use; without it one is generated", CLI::ExistingFile);
  add_bit_depth(command, flags->bit_depth);
  add_view_flags(command, flags->views);
  add_augment_on(command, flags->views);
  command.add("--count", &flags->count, ChangesNumbers::no, "Images to time",
              CLI::Range(1, 1000000));
  command.set_job([flags] { bench_loader(*flags); });
}

}  // namespace apps
