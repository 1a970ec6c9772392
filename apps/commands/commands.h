// The sub-commands of pixpro, one file each. Every function adds its command and flags; the work
// runs when the command line has been read, and reports trouble by throwing engine::Error.
#pragma once

#include <CLI/CLI.hpp>

namespace apps {

void add_pretrain(CLI::App& app);
void add_pack(CLI::App& app);
void add_replay(CLI::App& app);
void add_trace(CLI::App& app);
void add_gradcheck(CLI::App& app);
void add_augment(CLI::App& app);
void add_bench_step(CLI::App& bench);
void add_bench_loader(CLI::App& bench);

// A check of a command was not passed: already reported, exit status 1.
struct CheckFailed {};

}  // namespace apps
