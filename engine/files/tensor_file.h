// Tensors in safetensors files: the length of the header (8 bytes, little-endian), a JSON header
// {name: {dtype, shape, data_offsets}, "__metadata__": {text: text}}, then the data. It is safe to
// read untrusted files: every size and offset is checked before it is used.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>

#include "engine/tensor.h"

namespace engine {

struct TensorFile {
  std::map<std::string, Tensor> tensors;  // F32, F64, I64, U8
  std::map<std::string, std::string> metadata;
  std::filesystem::path source;  // for messages: the path it was read from, or empty
};

// Reads I32 as I64, F16 and BF16 as F32, and refuses types not listed here or above. Throws Error
// that names the file, the tensor and what is wrong with it.
TensorFile read_tensor_file(const std::filesystem::path& path);

// Replaces `path` as a whole (see atomic_file.h). Tensors of any layout are written plain, in an
// order in which each begins at a multiple of its element size. `file.source` is ignored.
void write_tensor_file(const std::filesystem::path& path, const TensorFile& file);

// For messages: "'PATH'", or "tensors" if the file was not read from a path.
std::string file_called(const TensorFile& file);

// The tensor of this name. Throws Error that names it if it is missing.
const Tensor& find_tensor(const TensorFile& file, std::string_view name);

}  // namespace engine
