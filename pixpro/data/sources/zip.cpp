#include <zip.h>

#include <cerrno>
#include <condition_variable>
#include <functional>
#include <mutex>

#include "engine/files/escaped.h"
#include "engine/files/input_file.h"
#include "pixpro/data/sources/file_bytes.h"
#include "pixpro/data/sources/image_names.h"
#include "pixpro/data/sources/source.h"
#include "pixpro/data/sources/zip_map.h"

namespace pixpro {
namespace {

namespace fs = std::filesystem;

// A handle of libzip serves one thread at a time and holds all names of the archive: for 1.28
// million it takes 390 MB and two seconds to open. Reading an image takes a twentieth of the time
// that augmenting it takes, so a few handles serve many workers.
constexpr int kMostHandles = 4;

// Deflate packs at most 1032 bytes into one byte; a larger claim is false.
constexpr uint64_t kMostDeflated = 1032;

struct CloseArchive {
  void operator()(zip_t* archive) const { zip_discard(archive); }
};
using Archive = std::unique_ptr<zip_t, CloseArchive>;

struct CloseEntry {
  void operator()(zip_file_t* entry) const { zip_fclose(entry); }
};
using Entry = std::unique_ptr<zip_file_t, CloseEntry>;

// Any failure is a ReadError, because an archive that could be opened once is sound.
Archive open_archive(const fs::path& path) {
  int code = 0;
  Archive archive(zip_open(path.c_str(), ZIP_RDONLY, &code));
  if (archive == nullptr) {
    zip_error_t error;
    zip_error_init_with_code(&error, code);
    const std::string reason = zip_error_strerror(&error);
    zip_error_fini(&error);
    throw engine::ReadError(
        "cannot open the zip archive \"" + engine::escaped(path.string()) + "\": " + reason, EIO);
  }
  return archive;
}

// What libzip complains of: trouble of the system, which may pass, or damage.
void fail_as(zip_error_t* error) {
  const std::string message = std::string("zip: ") + zip_error_strerror(error);
  switch (zip_error_code_zip(error)) {
    case ZIP_ER_OPEN:
    case ZIP_ER_SEEK:
    case ZIP_ER_READ:
    case ZIP_ER_MEMORY:
      throw engine::ReadError(message, zip_error_code_system(error));
    default:
      throw engine::Error(message);
  }
}

// The size of an entry. Throws Error if it may not be unpacked.
size_t checked_size(zip_t* archive, uint64_t index) {
  zip_stat_t status;
  zip_stat_init(&status);
  if (zip_stat_index(archive, index, 0, &status) != 0) fail_as(zip_get_error(archive));
  constexpr uint64_t kNeeded =
      ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD | ZIP_STAT_ENCRYPTION_METHOD;
  engine::require((status.valid & kNeeded) == kNeeded,
                  "zip: the entry's description is incomplete");
  engine::require(status.encryption_method == ZIP_EM_NONE, "zip: the entry is encrypted");
  engine::require(status.comp_method == ZIP_CM_STORE || status.comp_method == ZIP_CM_DEFLATE,
                  "zip: compression method ", status.comp_method,
                  ", expected 0 (stored) or 8 (deflated)");
  engine::require(status.size <= static_cast<uint64_t>(kMaxEncodedBytes), "zip: the entry claims ",
                  status.size, " bytes, more than the ", kMaxEncodedBytes,
                  " that an image may have");
  engine::require(status.size / kMostDeflated <= status.comp_size, "zip: ", status.comp_size,
                  " bytes cannot unpack to ", status.size);
  return static_cast<size_t>(status.size);
}

void read_entry(zip_t* archive, uint64_t index, std::vector<uint8_t>& bytes) {
  bytes.resize(checked_size(archive, index));
  const Entry entry(zip_fopen_index(archive, index, 0));
  if (entry == nullptr) fail_as(zip_get_error(archive));
  // Reads one byte beyond the end, which makes libzip compare the checksum.
  size_t done = 0;
  for (;;) {
    uint8_t beyond = 0;
    const bool at_end = done == bytes.size();
    const zip_int64_t count =
        at_end ? zip_fread(entry.get(), &beyond, 1)
               : zip_fread(entry.get(), bytes.data() + done, bytes.size() - done);
    if (count < 0) fail_as(zip_file_get_error(entry.get()));
    if (count == 0) break;
    engine::require(!at_end, "zip: the entry unpacks to more than the ", done, " bytes it claims");
    done += static_cast<size_t>(count);
  }
  engine::require(done == bytes.size(), "zip: the entry unpacks to ", done, " bytes, claims ",
                  bytes.size());
}

StringList read_map(const fs::path& path) {
  try {
    std::vector<uint8_t> text;
    read_file(path, text);
    return parse_map({reinterpret_cast<const char*>(text.data()), text.size()});
  } catch (const engine::Error& error) {
    engine::fail("the list of images \"", engine::escaped(path.string()), "\": ", error.what());
  }
}

// The paths that a data set may have.
StringList selected(const StringList& paths, const Selection& selection, Skipped& skipped) {
  StringList kept;
  for (int64_t i = 0; i < paths.size(); ++i) {
    std::string_view reason = reserved_path(paths[i]);
    if (reason.empty() && excludes(selection.exclude, paths[i])) reason = "excluded";
    if (reason.empty()) {
      kept.add(paths[i]);
    } else {
      skipped.add_file(reason);
    }
  }
  return kept;
}

class ZipSource : public Source {
 public:
  ZipSource(fs::path archive_path, const StringList& listed, const Selection& selection)
      : archive_path_(std::move(archive_path)), paths_(selected(listed, selection, skipped_)) {
    engine::require(paths_.size() > 0, "no image of the list is left; ", skipped_.text());
    Archive archive = open_archive(archive_path_);
    bool has_any = false;
    for (int64_t i = 0; i < paths_.size(); ++i) {
      indices_.push_back(zip_name_locate(archive.get(), path(i).c_str(), 0));
      has_any |= indices_.back() >= 0;
    }
    engine::require(has_any, "the zip archive \"", engine::escaped(archive_path_.string()),
                    "\" has none of the ", paths_.size(),
                    " files that the list names; the first is \"", engine::escaped(paths_[0]),
                    "\"");
    idle_.push_back(std::move(archive));
  }

  int64_t size() const override { return paths_.size(); }
  std::string name(int64_t i) const override {
    return engine::escaped(archive_path_.string() + "@/" + path(i));
  }
  std::string path(int64_t i) const override { return std::string(paths_[i]); }
  Skipped skipped() const override { return skipped_; }

  // 0 for an entry that the archive lacks.
  int64_t bytes(int64_t i) const override {
    const int64_t index = indices_[static_cast<size_t>(i)];
    const Loan archive = borrow();
    zip_stat_t status;
    zip_stat_init(&status);
    const bool found =
        index >= 0 && zip_stat_index(archive.get(), static_cast<uint64_t>(index), 0, &status) == 0;
    return found && (status.valid & ZIP_STAT_SIZE) != 0 ? static_cast<int64_t>(status.size) : 0;
  }

  Bytes read(int64_t i, std::vector<uint8_t>& buffer) const override {
    const int64_t index = indices_[static_cast<size_t>(i)];
    engine::require(index >= 0, "zip: the archive has no entry of this name");
    Loan archive = borrow();
    try {
      read_entry(archive.get(), static_cast<uint64_t>(index), buffer);
      return buffer;
    } catch (const engine::ReadError&) {
      discard(std::move(archive));  // the next try opens the archive anew
      throw;
    } catch (const engine::Error& error) {
      if (bytes_now() == bytes_) throw;  // damage, not a change under the run
      discard(std::move(archive));
      throw engine::ReadError(error.what(), ESTALE);
    }
  }

 private:
  // A handle that is given back automatically.
  using Loan = std::unique_ptr<zip_t, std::function<void(zip_t*)>>;
  Loan lend(Archive archive) const {
    return {archive.release(), [this](zip_t* back) { give_back(Archive(back)); }};
  }

  Loan borrow() const {
    {
      std::unique_lock lock(mutex_);
      returned_.wait(lock, [this] { return !idle_.empty() || handles_ < kMostHandles; });
      if (!idle_.empty()) {
        Archive archive = std::move(idle_.back());
        idle_.pop_back();
        return lend(std::move(archive));
      }
      ++handles_;
    }
    try {
      Archive archive = open_archive(archive_path_);
      if (bytes_now() != bytes_) throw engine::ReadError("the zip archive has changed", ESTALE);
      return lend(std::move(archive));
    } catch (...) {
      forget_handle();
      throw;
    }
  }

  void forget_handle() const {
    const std::lock_guard lock(mutex_);
    --handles_;
    returned_.notify_one();
  }

  void discard(Loan archive) const {
    Archive(archive.release()).reset();
    forget_handle();
  }

  void give_back(Archive archive) const {
    const std::lock_guard lock(mutex_);
    idle_.push_back(std::move(archive));
    returned_.notify_one();
  }

  // The size of the archive; no number of bytes if it is away.
  uint64_t bytes_now() const {
    std::error_code ignored;
    return fs::file_size(archive_path_, ignored);
  }

  const fs::path archive_path_;
  uint64_t bytes_ = bytes_now();
  Skipped skipped_;
  const StringList paths_;
  std::vector<int64_t> indices_;  // of the entries; -1 if there is none

  mutable std::mutex mutex_;  // guards what follows
  mutable std::condition_variable returned_;
  mutable std::vector<Archive> idle_;
  mutable int handles_ = 1;
};

}  // namespace

std::unique_ptr<Source> open_zip(const fs::path& folder, const Selection& selection) {
  return std::make_unique<ZipSource>(folder / "train.zip", read_map(folder / "train_map.txt"),
                                     selection);
}

}  // namespace pixpro
