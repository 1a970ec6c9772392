// pixpro gradcheck: compares every op's gradient with central differences and prints a table.
#include <cstdio>

#include "apps/commands/commands.h"
#include "autograd/grad_check.h"
#include "pixpro/method/op_cases.h"

namespace apps {
namespace {

void check_all_ops() {
  std::vector<autograd::OpCase> cases = autograd::op_cases();
  for (autograd::OpCase& op : pixpro::method_op_cases()) cases.push_back(std::move(op));

  std::printf("%-44s %9s %12s\n", "op", "elements", "worst error");
  int failed = 0;
  for (const autograd::OpCase& op : cases) {
    const autograd::GradCheckResult result = check_gradients(op);
    const bool ok = result.error <= autograd::kGradCheckTolerance;
    failed += ok ? 0 : 1;
    std::printf("%-44s %9lld %12.1e  %s\n", op.name.c_str(), static_cast<long long>(result.checked),
                result.error, ok ? "ok" : ("WRONG: " + result.worst).c_str());
  }
  std::printf("%zu passed, %d failed (float64, central differences, tolerance %.0e)\n",
              cases.size() - static_cast<size_t>(failed), failed, autograd::kGradCheckTolerance);
  if (failed > 0) throw CheckFailed{};
}

}  // namespace

void add_gradcheck(CLI::App& app) {
  Command(app, "gradcheck", "Check every op's gradient against central differences")
      .set_job(check_all_ops);
}

}  // namespace apps
