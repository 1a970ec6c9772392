// pixpro pack: puts a folder of images into one file, which pretrain reads.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <memory>
#include <utility>

#include "apps/commands/commands.h"
#include "apps/console.h"
#include "apps/flags/bit_depth.h"
#include "apps/flags/reading.h"
#include "apps/flags/source.h"
#include "apps/interrupts.h"
#include "engine/error.h"
#include "engine/files/atomic_file.h"
#include "engine/parallel.h"
#include "pixpro/data/augment/resize.h"
#include "pixpro/data/codecs/codec.h"
#include "pixpro/data/codecs/decode_memory.h"
#include "pixpro/data/sources/file_bytes.h"
#include "pixpro/data/sources/packed.h"
#include "pixpro/data/sources/retry.h"
#include "pixpro/data/sources/source.h"

namespace apps {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

// Images held in memory. Each thread may exceed the bytes by the image it reads.
constexpr int64_t kAtATime = 256, kBytesAtATime = int64_t{256} << 20;
constexpr int kQuality = 90;  // of the JPEGs that shrunk images become

struct PackFlags {
  fs::path data_dir, out;
  bool zip = false;
  ReadingFlags reading;
  std::vector<std::string> exclude;
  int shorter_side = 0;  // 0: no image is changed
  BitDepthFlag bit_depth;
};

// An image on its way into the file.
struct Packed {
  std::vector<uint8_t> bytes;
  std::string trouble;       // why it is left out; empty if it is not
  std::exception_ptr error;  // what ends the command instead
};

// What the threads share.
struct Packer {
  Packer(std::unique_ptr<pixpro::Source> images, const PackFlags& flags)
      : source(std::move(images)),
        shorter_side(flags.shorter_side),
        // Images that are not shrunk stay as they are, with all their bits.
        decoding(shorter_side > 0 ? decode_options(flags.bit_depth, *source)
                                  : pixpro::DecodeOptions{}),
        retry(patience_of(flags.reading)),
        decode_memory(decode_memory_bytes(flags.reading)) {}

  const std::unique_ptr<pixpro::Source> source;
  const int shorter_side;
  const pixpro::DecodeOptions decoding;
  pixpro::Retry retry;
  pixpro::DecodeMemory decode_memory;
};

// An image whose shorter side is longer than `shorter_side` is shrunk and becomes a JPEG.
std::vector<uint8_t> encoded_image(Packer& packer, int64_t i) {
  std::vector<uint8_t> buffer;
  const pixpro::Bytes encoded = packer.source->read(i, buffer);
  if (packer.shorter_side > 0) {
    const pixpro::DecodeMemory::Share share(packer.decode_memory);
    const pixpro::Image image = pixpro::decode_image(encoded, packer.decoding);
    if (std::min(image.width, image.height) > packer.shorter_side) {
      return encode_jpeg(resize_shorter(image, packer.shorter_side), kQuality);
    }
  }
  return {encoded.begin(), encoded.end()};
}

Packed prepare(Packer& packer, int64_t i) {
  Packed packed;
  try {
    packer.retry.run(
        {}, [&] { return packer.source->name(i); },
        [&] { packed.bytes = encoded_image(packer, i); });
  } catch (const pixpro::LostFile& error) {
    packed.trouble = error.what();
  } catch (const engine::ReadError&) {
    packed.error = std::current_exception();
  } catch (const engine::Error& error) {
    packed.trouble = error.what();
  }
  return packed;
}

// As many of the images from `first` to `last` as may be in memory at a time.
std::vector<Packed> prepare_some(Packer& packer, int64_t first, int64_t last) {
  std::vector<Packed> images(static_cast<size_t>(std::min(last - first, kAtATime)));
  const auto most = static_cast<int64_t>(images.size());
  std::atomic<int64_t> next = 0, bytes = 0;
  engine::parallel_for(omp_get_max_threads(), 1, [&](int64_t, int64_t) {
    while (bytes < kBytesAtATime) {
      const int64_t i = next++;
      if (i >= most) return;
      Packed& packed = images[static_cast<size_t>(i)] = prepare(packer, first + i);
      bytes += static_cast<int64_t>(packed.bytes.size());
    }
  });
  images.resize(static_cast<size_t>(std::min(next.load(), most)));
  return images;
}

// The response to a signal: the file is as it was.
void end_at_once(const fs::path& out, int signal) {
  engine::remove_temporaries();
  warn("interrupted; nothing has been written to " + out.string());
  finish_output();
  std::_Exit(128 + signal);
}

void pack(const PackFlags& flags) {
  const Interrupts interrupts([&](int signal) { end_at_once(flags.out, signal); });
  engine::remove_leftovers(flags.out, std::chrono::hours(24));
  Packer packer(
      pixpro::open_source(flags.data_dir, flags.zip, selection_of(flags.exclude, {flags.out})),
      flags);
  const pixpro::Source& source = *packer.source;
  if (const std::string skipped = source.skipped().text(); !skipped.empty()) say(skipped + "\n");
  pixpro::PackWriter writer(flags.out);
  const int64_t count = source.size();
  Clock::time_point printed = Clock::now();
  for (int64_t index = 0; index < count;) {
    for (const Packed& image : prepare_some(packer, index, count)) {
      if (image.error) std::rethrow_exception(image.error);
      if (image.trouble.empty()) {
        writer.add(source.path(index), image.bytes);
      } else {
        warn("skipped: " + source.name(index) + ": " + image.trouble);
      }
      ++index;
    }
    if (Clock::now() - printed < std::chrono::seconds(1)) continue;
    printed = Clock::now();
    say(std::to_string(writer.size()) + " of " + std::to_string(count) + " images\n");
  }
  writer.commit();
  say(std::to_string(writer.size()) + " of " + std::to_string(count) + " images, " +
      std::to_string(writer.bytes()) + " bytes, in " + flags.out.string() + "\n");
}

}  // namespace

void add_pack(CLI::App& app) {
  auto flags = std::make_shared<PackFlags>();
  Command command(app, "pack", "Put a folder of images into one file");
  command.add("DIR", &flags->data_dir, ChangesNumbers::yes, "Folder of images at any depth")
      ->required();
  command.add("OUT", &flags->out, ChangesNumbers::no, "The file; pretrain takes it as --data-dir")
      ->required();
  add_zip(command, flags->zip);
  add_reading_flags(command, flags->reading);
  add_exclude(command, flags->exclude);
  command.add("--shorter-side", &flags->shorter_side, ChangesNumbers::yes,
              "Pixels of the shorter side to which larger images are shrunk, as JPEG; 0: all "
              "images stay as they are",
              CLI::Range(0, 65500));
  add_bit_depth(command, flags->bit_depth);
  command.set_job([flags] { pack(*flags); });
}

}  // namespace apps
