// The commands of the program, one file each. Every function declares its command and its flags;
// the work runs once the command line has been read, and reports trouble by throwing engine::Error.
#pragma once

#include "apps/command.h"
#include "engine/error.h"

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

// The exit status of pretrain if a signal has ended it and nothing is lost: EX_TEMPFAIL of
// sysexits.h, "try again".
constexpr int kInterruptedStatus = 75;

// Thrown by pretrain then; the text says how to go on.
class Stopped : public engine::Error {
  using Error::Error;
};

// Thrown by all ranks of a run that have ended together, after rank 0 has said why.
struct EndedTogether {
  int status;
};

}  // namespace apps
