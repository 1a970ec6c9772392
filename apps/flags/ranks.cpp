#include "apps/flags/ranks.h"

#include "apps/flags/checks.h"

namespace apps {

void add_rank_flags(Command& command, RankFlags& flags) {
  command.add("--no-sync-bn", &flags.no_sync_bn, ChangesNumbers::yes,
              "Several ranks: batch normalisation by the statistics of each rank's own images");
  command.add("--bucket-mib", &flags.bucket_mib, ChangesNumbers::no,
              "Several ranks: most MiB of gradients that are added up in one message",
              number_in(1e-3, 1e5));
  command.add("--reduce-in", &flags.reduce_in, ChangesNumbers::yes,
              "Several ranks: add gradients up in their own type, or in bf16, which has half the "
              "bytes and 8 bits of precision",
              CLI::IsMember({"own", "bf16"}));
}

void train_as(const Rank& rank, const RankFlags& flags, pixpro::TrainerOptions& options) {
  options.device = rank.device;
  options.ranks = rank.ranks;
  options.sync_batch_norm = !flags.no_sync_bn;
  options.buckets.bucket_bytes = static_cast<int64_t>(flags.bucket_mib * (1 << 20));
  options.buckets.in_bf16 = flags.reduce_in == "bf16";
}

}  // namespace apps
