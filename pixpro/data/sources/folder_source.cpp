#include <sys/stat.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "engine/error.h"
#include "engine/files/escaped.h"
#include "pixpro/data/sources/file_bytes.h"
#include "pixpro/data/sources/source.h"

namespace pixpro {
namespace {

namespace fs = std::filesystem;

class FolderSource : public Source {
 public:
  FolderSource(fs::path folder, ImageList images)
      : folder_(std::move(folder)), images_(std::move(images)) {}

  int64_t size() const override { return images_.size(); }
  std::string path(int64_t i) const override { return images_.path(i); }
  std::string name(int64_t i) const override { return engine::escaped(file(i).string()); }
  Skipped skipped() const override { return images_.skipped; }

  int64_t bytes(int64_t i) const override {
    struct stat status {};
    engine::require(stat(file(i).c_str(), &status) == 0, "cannot look at \"", name(i),
                    "\": ", std::generic_category().message(errno));
    return status.st_size;
  }

  Bytes read(int64_t i, std::vector<uint8_t>& buffer) const override {
    read_file(file(i), buffer);
    return buffer;
  }

 private:
  fs::path file(int64_t i) const { return folder_ / images_.path(i); }

  const fs::path folder_;
  const ImageList images_;
};

}  // namespace

std::unique_ptr<Source> open_folder(const fs::path& folder, const Selection& selection) {
  return std::make_unique<FolderSource>(folder, list_images(folder, selection));
}

}  // namespace pixpro
