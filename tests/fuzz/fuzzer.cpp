// The entry point of libFuzzer, compiled once per target with its name in PIXPRO_FUZZ_TARGET. With
//   --write-seeds FOLDER
// the program only writes the target's seeds into the folder.
#include <cstdlib>
#include <fstream>

#include "tests/fuzz/targets.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const fuzz::Target& target = fuzz::target(PIXPRO_FUZZ_TARGET);
  target.run({data, size});
  return 0;
}

extern "C" int LLVMFuzzerInitialize(int* count, char*** arguments) {
  if (*count != 3 || std::string((*arguments)[1]) != "--write-seeds") return 0;
  const std::vector<std::vector<uint8_t>> seeds = fuzz::seeds_of(fuzz::target(PIXPRO_FUZZ_TARGET));
  for (size_t i = 0; i < seeds.size(); ++i) {
    std::ofstream(std::string((*arguments)[2]) + "/seed" + std::to_string(i), std::ios::binary)
        .write(reinterpret_cast<const char*>(seeds[i].data()),
               static_cast<std::streamsize>(seeds[i].size()));
  }
  std::exit(seeds.empty() ? 1 : 0);
}
