#include "apps/ranks/launch.h"

#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <vector>

#include "apps/flags/parse_number.h"
#include "apps/ranks/bad_start.h"

namespace apps {
namespace {

// The variables by which a launcher tells a process its place.
struct Variables {
  const char *count, *rank, *local_rank, *local_count;
};
constexpr Variables kOpenMpi = {"OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK",
                                "OMPI_COMM_WORLD_LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_SIZE"};
constexpr Variables kMpich = {"PMI_SIZE", "PMI_RANK", "MPI_LOCALRANKID", "MPI_LOCALNRANKS"};
constexpr Variables kTorchrun = {"WORLD_SIZE", "RANK", "LOCAL_RANK", "LOCAL_WORLD_SIZE"};
// SLURM_NTASKS counts those of the job, which a batch script sees too; this one those of the step,
// which is what srun starts.
constexpr Variables kSlurm = {"SLURM_STEP_NUM_TASKS", "SLURM_PROCID", "SLURM_LOCALID", nullptr};

class Reader {
 public:
  explicit Reader(const Environment& environment) : environment_(environment) {}

  bool has(const char* name) const { return environment_.contains(name); }

  // Empty if the variable is not set.
  std::string text(const char* name) const {
    const auto found = environment_.find(name);
    return found == environment_.end() ? std::string() : found->second;
  }

  std::optional<int> number(const char* name) const {
    if (name == nullptr || !has(name)) return std::nullopt;
    const std::string value = text(name);
    const std::optional<int> parsed = parse_number<int>(value);
    require_start(parsed && *parsed >= 0, "environment: ", name,
                  ": expected a whole number, found '", value, "'");
    return parsed;
  }

  // The launcher's account of this process; nothing if its variables are absent.
  std::optional<Launch> launch(const char* launcher, Meeting meeting,
                               const Variables& names) const {
    const std::optional<int> count = number(names.count);
    if (!count) return std::nullopt;
    const std::optional<int> rank = number(names.rank);
    Launch launch{.meeting = meeting,
                  .launcher = launcher,
                  .rank = rank.value_or(0),
                  .count = *count,
                  .local_rank = number(names.local_rank),
                  .local_count = number(names.local_count)};
    require_start(*count >= 1, "environment: ", names.count, ": expected at least 1, found 0");
    require_start(rank.has_value() || *count == 1, "environment: ", names.count, " is ", *count,
                  ", but ", names.rank, " is missing: start the ranks with ", launcher);
    check_below(names.rank, launch.rank, names.count, count);
    check_below(names.local_rank, launch.local_rank.value_or(0), names.local_count,
                launch.local_count);
    check_below(names.local_rank, launch.local_rank.value_or(0), names.count, count);
    return launch;
  }

 private:
  static void check_below(const char* name, int value, const char* limit_name,
                          std::optional<int> limit) {
    require_start(!limit || value < *limit, "environment: ", name, " is ", value,
                  ": expected less than ", limit_name, ", which is ", limit.value_or(0));
  }

  const Environment& environment_;
};

bool agree(const std::optional<Launch>& a, const std::optional<Launch>& b) {
  return !a || !b || (a->count == b->count && a->rank == b->rank);
}

bool has_several(const std::optional<Launch>& launch) { return launch && launch->count > 1; }

// "mpirun has made this process rank 3 of 8"
std::string account_of(const std::optional<Launch>& launch) {
  if (!launch) return {};
  return launch->launcher + " has made this process rank " + std::to_string(launch->rank) + " of " +
         std::to_string(launch->count);
}

// Two launchers may have started a process only if they say the same.
void require_one(const std::optional<Launch>& a, const std::optional<Launch>& b) {
  require_start(!has_several(a) || !has_several(b) || agree(a, b), "environment: ", account_of(a),
                ", and ", account_of(b), ": start the ranks with one of the two");
}

// HOST:PORT; an address of IPv6 stands in brackets.
std::string address(const std::string& host, int port) {
  const bool is_ipv6 = host.find(':') != std::string::npos && !host.starts_with('[');
  return (is_ipv6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

int port_of(const Reader& read, const char* name) {
  const std::optional<int> port = read.number(name);
  require_start(port && *port >= 1 && *port <= 65535, "environment: ", name,
                ": expected a port from 1 to 65535, found '", read.text(name), "'");
  return *port;
}

// Where rank 0 of torchrun waits.
std::string torchrun_address(const Reader& read) {
  const std::string host = read.text("MASTER_ADDR");
  require_start(!host.empty(), "environment: WORLD_SIZE is set, but MASTER_ADDR is missing: start ",
                "the ranks with torchrun");
  const int port = port_of(read, "MASTER_PORT");
  // With this setting torchrun's agent itself listens on MASTER_PORT, for as long as the ranks run.
  const bool is_taken = read.text("TORCHELASTIC_USE_AGENT_STORE") == "True";
  if (!is_taken) return address(host, port);
  return address(host, port < 65535 ? port + 1 : port - 1);
}

// The first host of Slurm's list: "node01" of "node[01-04,7],gpu3".
std::string first_host(std::string_view list) {
  std::string host;
  bool is_in_brackets = false, is_first = true;  // of the bracket's alternatives
  for (const char c : list) {
    if (c == ',' && !is_in_brackets) break;
    if (c == '[') is_in_brackets = is_first = true;
    if (c == ']') is_in_brackets = false;
    if (c == ',' || (c == '-' && is_in_brackets)) is_first = false;
    if (c != '[' && c != ']' && (is_first || !is_in_brackets)) host += c;
  }
  return host;
}

// Where rank 0 of srun waits. Every job has a port of its own, so that two jobs on a machine do not
// meet. The ports are below those that systems give to clients.
std::string slurm_address(const Reader& read) {
  std::string host = read.text("MASTER_ADDR");
  if (host.empty()) host = first_host(read.text("SLURM_STEP_NODELIST"));
  if (host.empty()) host = first_host(read.text("SLURM_JOB_NODELIST"));
  require_start(!host.empty(),
                "environment: neither SLURM_STEP_NODELIST nor MASTER_ADDR names the ",
                "machine of rank 0: set MASTER_ADDR");
  if (read.has("MASTER_PORT")) return address(host, port_of(read, "MASTER_PORT"));
  const auto id = [&](const char* name) {
    return parse_number<uint32_t>(read.text(name)).value_or(0);
  };
  return address(host,
                 static_cast<int>(10000 + (id("SLURM_JOB_ID") + id("SLURM_STEP_ID")) % 20000));
}

}  // namespace

Environment process_environment() {
  Environment environment;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const size_t equals = text.find('=');
    if (equals == std::string_view::npos) continue;
    environment.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return environment;
}

Launch recognise(const Environment& environment, bool has_mpi) {
  const Reader read(environment);
  const auto open_mpi = read.launch("mpirun", Meeting::mpi, kOpenMpi);
  auto mpich = read.launch("mpirun", Meeting::mpi, kMpich);
  const auto torchrun = read.launch("torchrun", Meeting::nccl, kTorchrun);
  auto srun = read.launch("srun", Meeting::nccl, kSlurm);
  require_start(open_mpi || mpich || torchrun || srun || !read.has("PMIX_RANK"),
                "environment: PMIX_RANK is set, but nothing says how many ranks there are: start ",
                "them with mpirun or srun");
  // Slurm's own process managers for MPI set MPICH's variables or PMIX_RANK.
  const bool srun_serves_mpi = has_mpi && srun && (mpich || read.has("PMIX_RANK"));
  if (srun_serves_mpi) srun->meeting = Meeting::mpi;
  if (srun && agree(mpich, srun)) mpich.reset();
  require_one(open_mpi, mpich);
  require_one(has_several(open_mpi) ? open_mpi : mpich, torchrun);
  // torchrun itself says so in this variable. It may have been started by srun, once per machine.
  if (torchrun && read.has("TORCHELASTIC_RUN_ID")) srun.reset();
  if (!agree(open_mpi, srun) || !agree(mpich, srun) || !agree(torchrun, srun)) srun.reset();

  std::vector<std::optional<Launch>> choices = {srun, torchrun};
  choices.insert(has_mpi ? choices.begin() : choices.end(), {open_mpi, mpich});
  const auto chosen = std::ranges::find_if(choices, has_several);
  if (chosen == choices.end()) return {};
  Launch launch = **chosen;
  if (launch.meeting == Meeting::nccl) {
    launch.address = launch.launcher == "srun" ? slurm_address(read) : torchrun_address(read);
  }
  return launch;
}

}  // namespace apps
