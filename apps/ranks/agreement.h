// What the ranks of a run settle between them on the host.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "apps/ranks/ranks.h"

namespace apps {

// Has rank 0 do something, such as to save. All ranks call this and get what it returned there. If
// it throws on rank 0, all ranks throw the error, as a SharedError if there are several.
std::string on_rank_zero(const Rank& rank, const std::function<std::string()>& act);

// Throws Error on every rank unless all have been started with the same: names the first rank that
// differs from rank 0, and in what. `what`: names and values.
void require_alike(const Rank& rank, const std::map<std::string, std::string>& what);

}  // namespace apps
