#include "engine/files/temporary.h"

#include <algorithm>
#include <cstdio>
#include <mutex>
#include <vector>

namespace engine {
namespace {

struct Registry {
  std::mutex mutex;
  std::vector<std::filesystem::path> paths;
};

// Never destroyed: a thread may end the process at any moment.
Registry& registry() {
  static auto& all = *new Registry;
  return all;
}

}  // namespace

Temporary::Temporary(const std::filesystem::path& path) : path_(path) {
  const std::lock_guard lock(registry().mutex);
  registry().paths.push_back(path_);
}

Temporary::~Temporary() {
  if (kept_) return;
  std::remove(path_.c_str());
  keep();
}

void Temporary::keep() {
  kept_ = true;
  const std::lock_guard lock(registry().mutex);
  std::erase(registry().paths, path_);
}

void remove_temporaries() {
  std::vector<std::filesystem::path> paths;
  {
    const std::lock_guard lock(registry().mutex);  // not while a disk may be slow
    paths = registry().paths;
  }
  std::for_each(paths.rbegin(), paths.rend(), [](const auto& path) { std::remove(path.c_str()); });
}

}  // namespace engine
