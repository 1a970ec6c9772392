// The commands of the program, one file each. Every function declares its command and its flags;
// the work runs once the command line has been read, and reports trouble by throwing engine::Error.
#pragma once

#include "apps/command.h"

namespace apps {

void add_pretrain(CLI::App& app);
void add_pack(CLI::App& app);
void add_replay(CLI::App& app);
void add_trace(CLI::App& app);
void add_gradcheck(CLI::App& app);
void add_augment(CLI::App& app);
void add_bench_step(CLI::App& bench);
void add_bench_loader(CLI::App& bench);

// Thrown by a command whose check failed and that has said so itself; the exit status is 1.
struct CheckFailed {};

}  // namespace apps
