// Writes zip archives for tests.
#pragma once

#include <zip.h>

#include <filesystem>
#include <string>
#include <vector>

#include "engine/error.h"

namespace test_support {

struct ZipEntry {
  std::string name, content;
  int method = ZIP_CM_DEFLATE;
};

inline void write_zip(const std::filesystem::path& path, const std::vector<ZipEntry>& entries) {
  int code = 0;
  zip_t* archive = zip_open(path.c_str(), ZIP_CREATE | ZIP_TRUNCATE, &code);
  engine::require(archive != nullptr, "cannot create ", path.string());
  for (const ZipEntry& entry : entries) {
    zip_source_t* content =
        zip_source_buffer(archive, entry.content.data(), entry.content.size(), 0);
    const zip_int64_t index = zip_file_add(archive, entry.name.c_str(), content, 0);
    zip_set_file_compression(archive, static_cast<zip_uint64_t>(index), entry.method, 0);
  }
  engine::require(zip_close(archive) == 0, "cannot write ", path.string());
}

}  // namespace test_support
