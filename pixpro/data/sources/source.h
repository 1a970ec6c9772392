// Where the encoded images of a data set come from: a folder, a zip archive or a packed file. A
// source may be read by any number of threads at a time.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "pixpro/data/image.h"
#include "pixpro/data/sources/folder.h"
#include "pixpro/data/sources/skipped.h"

namespace pixpro {

class Source {
 public:
  virtual ~Source() = default;

  virtual int64_t size() const = 0;  // images

  // The name of image i for people: a path, or inside a file "train.zip@/n01440764/x.JPEG". It is
  // UTF-8 without control characters (see engine::escaped).
  virtual std::string name(int64_t i) const = 0;

  // The path of image i below the folder or in the file, byte for byte: "n01440764/x.JPEG". A
  // source that has none gives the name.
  virtual std::string path(int64_t i) const { return name(i); }

  // The size of image i as it is stored, 0 if the source cannot tell. Throws Error if looking at it
  // fails.
  virtual int64_t bytes(int64_t) const { return 0; }

  // What was found beside the images.
  virtual Skipped skipped() const { return {}; }

  // The encoded bytes of image i, in `buffer` or in memory of the source. They are valid until the
  // buffer changes or the source ends. Errors do not have the name. Throws engine::ReadError (or
  // LostFile) if the bytes cannot be read now, and Error if what is there can never be an image.
  virtual Bytes read(int64_t i, std::vector<uint8_t>& buffer) const = 0;
};

// The files of a folder, in the order of list_images.
std::unique_ptr<Source> open_folder(const std::filesystem::path& folder,
                                    const Selection& selection = {});

// The archive `folder`/train.zip, stored or deflated, in the order of `folder`/train_map.txt (see
// parse_map). Paths of the list that are hidden or a system's (see reserved_path) and those that
// the selection excludes are skipped; the ending does not matter. Throws Error if the archive has
// none of the rest. Reading a path that it lacks is an error.
std::unique_ptr<Source> open_zip(const std::filesystem::path& folder,
                                 const Selection& selection = {});

// A file written by PackWriter.
std::unique_ptr<Source> open_packed(const std::filesystem::path& file);

// With `zip`, `path` is the folder of an archive, otherwise a packed file or a folder of images.
// Throws Error if images are to be excluded from a packed file.
std::unique_ptr<Source> open_source(const std::filesystem::path& path, bool zip,
                                    const Selection& selection = {});

// Keeps encoded images in memory once they have been read, for as long as there is enough of it.
// full: all of them; part: those with i % ranks == rank, so that processes share the work; no:
// none.
enum class CacheMode { no, part, full };
std::unique_ptr<Source> with_cache(std::unique_ptr<Source> source, CacheMode mode, int64_t rank = 0,
                                   int64_t ranks = 1);

}  // namespace pixpro
