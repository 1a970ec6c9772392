// Which images a run trains on, and how it notices that they are others.
#include <gtest/gtest.h>

#include "engine/files/tensor_file.h"
#include "tests/apps/pretrain_runs.h"

namespace apps {
namespace {

class DataSet : public Pretrain {
 protected:
  CommandResult resume(const fs::path& out, const std::vector<std::string>& more = {}) const {
    std::vector<std::string> all = {"--auto-resume"};
    all.insert(all.end(), more.begin(), more.end());
    return train(out, all, 1);
  }
  static void expect_in(const std::string& text, const std::string& words) {
    EXPECT_NE(text.find(words), std::string::npos) << "'" << words << "' in: " << text;
  }
};

TEST_F(DataSet, NeverTakesWhatARunWritesForData) {
  fs::create_directory_symlink(data_, dir_.path() / "link");
  const std::vector<fs::path> outs = {data_ / "output", dir_.path() / "link" / "other", data_,
                                      data_ / "output" / "deep" / ".."};
  for (const fs::path& out : outs) {
    const CommandResult first = resume(out);
    EXPECT_EQ(first.status, 0) << first.err;
    expect_in(first.out, "9 images, ");
  }
  for (const fs::path& out : outs) {
    const CommandResult again = resume(out);
    EXPECT_EQ(again.status, 0) << again.err;
    expect_in(again.out, "9 images, ");
    expect_in(again.out, "going on after step 2 of 2");
  }
}

TEST_F(DataSet, GoesOnOnlyWithTheSameImages) {
  const fs::path run = dir_.path() / "run", first = data_ / "picture0.png";
  ASSERT_EQ(train(run, {}, 1).status, 0);
  const CommandResult packed = run_pixpro({"pack", data_.string(), dir_.path() / "images.pack"});
  ASSERT_EQ(packed.status, 0) << packed.err;

  fs::rename(first, data_ / "renamed.png");
  expect_refusal(resume(run), {"current.safetensors", "other images: there are 9 now as then",
                               "names or sizes differ", "--exclude"});
  write_images(data_, 1);
  expect_refusal(resume(run), {"of a run with 9 images, but there are 10 now"});
  const CommandResult excluding = resume(run, {"--exclude", "renamed*"});
  EXPECT_EQ(excluding.status, 0) << excluding.err;

  engine::TensorFile old = engine::read_tensor_file(run / "current.safetensors");
  ASSERT_EQ(old.metadata.erase("image_fingerprint"), 1U);
  engine::write_tensor_file(run / "current.safetensors", old);
  const CommandResult older = resume(run, {"--exclude", "picture0.png"});
  EXPECT_EQ(older.status, 0) << "a checkpoint without a fingerprint: " << older.err;

  data_ = dir_.path() / "images.pack";
  ASSERT_EQ(train(dir_.path() / "pack", {}, 1).status, 0);
  fs::remove(dir_.path() / "photos" / "renamed.png");
  data_ = dir_.path() / "photos";
  const CommandResult unpacked = resume(dir_.path() / "pack");
  EXPECT_EQ(unpacked.status, 0) << "the same images from a folder: " << unpacked.err;
}

TEST_F(DataSet, SaysInOneLineWhatItSkips) {
  for (const char* name : {"notes.txt", "._picture0.png", "a.heic", "b.txt", "thumb1.png"}) {
    std::ofstream(data_ / name) << "text";
  }
  fs::create_directory(data_ / "old");
  write_images(data_ / "old", 2);
  const std::vector<std::string> exclude = {"--exclude", "thumb*", "--exclude", "./old/"};
  const std::string line =
      "\nskipped 5 files: 2 .txt, 1 .heic (not supported), 1 excluded, 1 hidden; 1 folder: 1 "
      "excluded\n";
  for (const char* mode : {"no", "full"}) {
    std::vector<std::string> flags = {"--cache-mode", mode};
    flags.insert(flags.end(), exclude.begin(), exclude.end());
    const CommandResult result = train(dir_.path() / mode, flags, 1);
    ASSERT_EQ(result.status, 0) << result.err;
    EXPECT_TRUE(result.out.starts_with("9 images, ")) << result.out;
    expect_in(result.out, line);
    EXPECT_EQ(result.err, "");
    const nlohmann::json first = read_metrics(dir_.path() / mode / "metrics.jsonl").at(0);
    EXPECT_EQ(first["skipped_files"], 5);
    EXPECT_EQ(first["skipped_files_by_reason"][".heic (not supported)"], 1);
    EXPECT_EQ(first["skipped_folders_by_reason"], nlohmann::json({{"excluded", 1}}));
  }
  const fs::path pack = data_ / "images.pack";
  std::vector<std::string> command = {"pack", data_.string(), pack.string()};
  command.insert(command.end(), exclude.begin(), exclude.end());
  for (int attempt = 0; attempt < 2; ++attempt) {  // the second one finds the file of the first
    const CommandResult result = run_pixpro(command);
    ASSERT_EQ(result.status, 0) << result.err;
    expect_in(result.out, "9 of 9 images");
    expect_in(result.out, "; 1 folder: 1 excluded\n");
  }
}

TEST_F(DataSet, ShowsHostileNamesWithoutControlCharacters) {
  std::ofstream(data_ / "a\x1b[2J\n\xff.jpg") << "not an image";
  const CommandResult packed =
      run_pixpro({"pack", data_.string(), dir_.path() / "x.pack", "--shorter-side", "8"});
  EXPECT_EQ(packed.status, 0);
  expect_in(packed.err, "a\\x1b[2J\\n\\xff.jpg: the content is not JPEG");
  EXPECT_EQ(lines_of(packed.err), 1);
  data_ /= "none\x1b\n";
  expect_refusal(train(dir_.path() / "run", {}, 1), {"none\\x1b\\n"});
}

}  // namespace
}  // namespace apps
