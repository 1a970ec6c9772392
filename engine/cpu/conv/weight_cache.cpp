#include "engine/cpu/conv/weight_cache.h"

#include <map>

namespace engine {
namespace {

struct Entry {
  std::weak_ptr<const Buffer> buffer;  // also keeps the buffer's address from being reused
  int64_t version = -1;
  int64_t uses = 0;    // of this version
  Tensor packed = {};  // undefined if the form is not kept
};

using Key = std::vector<int64_t>;

Key key_of(const Tensor& w, const WeightForm& form) {
  Key key = form;
  key.insert(key.end(), w.shape().begin(), w.shape().end());
  key.push_back(reinterpret_cast<intptr_t>(w.raw()));
  key.push_back(reinterpret_cast<intptr_t>(w.buffer()));
  return key;
}

Entry& entry_of(const Tensor& w, const WeightForm& form) {
  thread_local std::map<Key, Entry> entries;
  Key key = key_of(w, form);
  const auto found = entries.find(key);
  if (found != entries.end() && !found->second.buffer.expired()) return found->second;
  std::erase_if(entries, [](const auto& item) { return item.second.buffer.expired(); });
  return entries.emplace(std::move(key), Entry{w.watch()}).first->second;
}

}  // namespace

Tensor packed_weight(CpuContext& ctx, const Tensor& w, const WeightForm& form, int64_t floats,
                     const std::function<void(Tensor&)>& pack) {
  Entry& entry = entry_of(w, form);
  const int64_t version = w.buffer()->version();
  const bool same = entry.version == version;
  // Keep the form if this version is used again, or the version before was used more than once.
  const bool keep = entry.uses > (same ? 0 : 1);
  entry.uses = same ? entry.uses + 1 : 1;
  entry.version = version;
  if (same && entry.packed.defined()) return entry.packed;
  Tensor packed = entry.packed.defined() ? entry.packed : Tensor({floats});
  ++ctx.counters.packings;
  pack(packed);
  entry.packed = keep ? packed : Tensor();
  return packed;
}

}  // namespace engine
