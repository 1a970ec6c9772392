// Tensors in safetensors files: an 8-byte little-endian header length, a JSON header {name: {dtype,
// shape, data_offsets}, "__metadata__": {text: text}}, then the bytes. Files from anywhere may be
// read: every size and offset is checked before it is used.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "engine/tensor.h"

namespace engine {

struct TensorFile {
  std::map<std::string, Tensor> tensors;  // F32, F64, I64, U8
  std::map<std::string, std::string> metadata;
  std::filesystem::path source;  // where it was read, for messages; empty in a file made here
};

// I32 is read as I64, F16 and BF16 as F32; other types are refused. Throws Error naming the file,
// the tensor and what is wrong with it.
TensorFile read_tensor_file(const std::filesystem::path& path);

// `path` is never half a file (see atomic_file.h). Tensors of any layout are written plain, sorted
// so that each begins at a multiple of its element size. `file.source` is not looked at.
void write_tensor_file(const std::filesystem::path& path, const TensorFile& file);

// "'PATH'" for messages; "tensors" for a file made here.
std::string file_called(const TensorFile& file);

// The tensor of this name; throws Error naming it where it is absent.
const Tensor& find_tensor(const TensorFile& file, const std::string& name);

}  // namespace engine
