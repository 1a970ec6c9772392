// Where the encoded pictures of a data set lie: a folder, a zip archive or a packed file. Every
// source may be read from any number of threads at a time.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "pixpro/data/image.h"

namespace pixpro {

class Source {
 public:
  virtual ~Source() = default;

  virtual int64_t size() const = 0;  // pictures

  // Where picture i lies, for people: a path, or as "train.zip@/n01440764/x.JPEG" inside a file.
  virtual std::string name(int64_t i) const = 0;

  // The encoded bytes of picture i, in `buffer` or in memory of the source; they stay until the
  // buffer changes or the source ends. Throws Error, without the name, where they cannot be read.
  virtual Bytes read(int64_t i, std::vector<uint8_t>& buffer) const = 0;
};

// The files of a folder as list_images orders them.
std::unique_ptr<Source> open_folder(const std::filesystem::path& folder);

// The archive `folder`/train.zip, plain or deflated, in the order of `folder`/train_map.txt (see
// parse_map). A path of the map that the archive lacks is an error when it is read.
std::unique_ptr<Source> open_zip(const std::filesystem::path& folder);

// A file written by PackWriter, mapped into memory.
std::unique_ptr<Source> open_packed(const std::filesystem::path& file);

// What `path` is: with `zip` an archive's folder, otherwise a packed file or a folder of images.
std::unique_ptr<Source> open_source(const std::filesystem::path& path, bool zip);

// Keeps encoded pictures in memory once they have been read. full: all; part: those with
// i % ranks == rank, so that processes share the work; no: none.
enum class CacheMode { no, part, full };
std::unique_ptr<Source> with_cache(std::unique_ptr<Source> source, CacheMode mode, int64_t rank = 0,
                                   int64_t ranks = 1);

}  // namespace pixpro
