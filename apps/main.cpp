// pixpro: pre-trains image backbones with PixPro.
#include <cstdlib>
#include <exception>
#include <iostream>

#include "apps/commands/commands.h"
#include "apps/console.h"
#include "apps/ranks/bad_start.h"
#include "pixpro/data/background_threads.h"

namespace {

constexpr const char* kStatuses =
    "Exit status: 0 for success, 1 for failure, 2 for a bad command line or ranks that were "
    "started wrongly. 75: pretrain was stopped by a signal and has saved its work; the same "
    "command with "
    "--auto-resume goes on.";

// What the others print is a log, which need not be read by anybody.
bool prints_its_result(const CLI::App& app) {
  return !app.got_subcommand("pretrain") && !app.got_subcommand("pack");
}

int run(CLI::App& app, int argc, char** argv) {
  try {
    app.parse(argc, argv);
    std::cout.flush();
    engine::require(std::cout.good() || !prints_its_result(app),
                    "the output could not be written as a whole");
    return 0;
  } catch (const CLI::Success& help) {
    return app.exit(help);
  } catch (const CLI::ParseError& error) {
    apps::warn(std::string(error.what()) + " (see pixpro COMMAND --help)");
    return 2;
  } catch (const apps::BadStart& error) {
    apps::warn(error.what());
    return 2;
  } catch (const apps::CheckFailed&) {
    return 1;
  } catch (const apps::Stopped& stopped) {
    apps::warn(stopped.what());
    return apps::kInterruptedStatus;
  } catch (const apps::EndedTogether& end) {
    return end.status;
  } catch (const std::exception& error) {
    apps::warn(error.what());
    return 1;
  }
}

}  // namespace

int main(int argc, char** argv) {
  apps::prepare_output();
  CLI::App app("Pre-trains image backbones with PixPro (pixel-level consistency, CVPR 2021).",
               "pixpro");
  app.require_subcommand(1);
  apps::add_pretrain(app);
  apps::add_pack(app);
  apps::add_replay(app);
  apps::add_trace(app);
  apps::add_gradcheck(app);
  apps::add_augment(app);
  CLI::App* bench =
      app.add_subcommand("bench", "Measure the speed of training or of loading images");
  bench->require_subcommand(1);
  apps::add_bench_step(*bench);
  apps::add_bench_loader(*bench);
  app.footer(kStatuses);
  const int status = run(app, argc, argv);
  apps::finish_output();
  if (pixpro::threads_are_left_behind()) std::_Exit(status);
  return status;
}
