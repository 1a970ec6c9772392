// Where the encoded images of a data set come from: a folder, a zip archive or a packed file. A
// source may be read by any number of threads at a time.
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

  virtual int64_t size() const = 0;  // images

  // The name of image i for people: a path, or inside a file "train.zip@/n01440764/x.JPEG".
  virtual std::string name(int64_t i) const = 0;

  // The encoded bytes of image i, in `buffer` or in memory of the source. They are valid until the
  // buffer changes or the source ends. Errors do not have the name. Throws engine::ReadError (or
  // LostFile) if the bytes cannot be read now, and Error if what is there can never be an image.
  virtual Bytes read(int64_t i, std::vector<uint8_t>& buffer) const = 0;
};

// The files of a folder, in the order of list_images.
std::unique_ptr<Source> open_folder(const std::filesystem::path& folder);

// The archive `folder`/train.zip, stored or deflated, in the order of `folder`/train_map.txt (see
// parse_map). Reading a path that the archive lacks is an error.
std::unique_ptr<Source> open_zip(const std::filesystem::path& folder);

// A file written by PackWriter.
std::unique_ptr<Source> open_packed(const std::filesystem::path& file);

// With `zip`, `path` is the folder of an archive, otherwise a packed file or a folder of images.
std::unique_ptr<Source> open_source(const std::filesystem::path& path, bool zip);

// Keeps encoded images in memory once they have been read, for as long as there is enough of it.
// full: all of them; part: those with i % ranks == rank, so that processes share the work; no:
// none.
enum class CacheMode { no, part, full };
std::unique_ptr<Source> with_cache(std::unique_ptr<Source> source, CacheMode mode, int64_t rank = 0,
                                   int64_t ranks = 1);

}  // namespace pixpro
