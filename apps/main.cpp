// pixpro: pre-trains image backbones with PixPro. Exit status: 0 for success, 1 for failure, 2 for
// a bad command line.
#include <exception>
#include <iostream>

#include "apps/commands/commands.h"
#include "engine/files/escaped.h"

int main(int argc, char** argv) {
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
  try {
    app.parse(argc, argv);
    return 0;
  } catch (const CLI::Success& help) {
    return app.exit(help);
  } catch (const CLI::ParseError& error) {
    std::cerr << "pixpro: " << engine::escaped(error.what()) << " (see pixpro COMMAND --help)\n";
    return 2;
  } catch (const apps::CheckFailed&) {
    return 1;
  } catch (const std::exception& error) {
    std::cerr << "pixpro: " << engine::escaped(error.what()) << '\n';
    return 1;
  }
}
