// The JSON header of a safetensors file: the type, shape and position of every tensor. Handles text
// only; tensor_file.cpp reads and writes the file.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "engine/device.h"
#include "engine/error.h"
#include "engine/shape.h"

namespace engine {

inline constexpr int64_t kMaxHeaderBytes = 100'000'000;  // the limit of the format

// An element type of the format and the type it is read as.
struct StoredType {
  const char* name;
  int64_t bytes;
  DType dtype;
  // Set if stored elements are narrower than those in memory: converts `count` narrow elements at
  // the end of the memory to wide ones that fill it.
  void (*widen)(std::byte* memory, int64_t count) = nullptr;
};
const StoredType& stored_type(DType);

// A tensor whose data are bytes begin .. end-1 after the header.
struct StoredTensor {
  std::string name;
  const StoredType* type;
  Shape shape;
  int64_t begin, end;
};

struct TensorFileHeader {
  std::vector<StoredTensor> tensors;  // in the order of their data
  std::map<std::string, std::string> metadata;
};

// Reads the header of a file with `data_bytes` bytes of data. Throws Error unless every byte
// belongs to exactly one tensor, and every tensor has a known type and a shape that needs exactly
// its bytes.
TensorFileHeader parse_header(const std::string& text, int64_t data_bytes);

// Writes a header with sorted keys, padded with spaces to a multiple of 8 bytes.
std::string header_text(const TensorFileHeader& header);

// For messages: text from a file on one line, shortened if it is long.
std::string shown(const std::string& text);

// For messages: "tensor 'NAME'", with the name as shown() shows it.
std::string tensor_called(const std::string& name);

// Calls f; if it throws an Error, puts `where` before the message.
template <class F>
decltype(auto) within(const std::string& where, F f) {
  try {
    return f();
  } catch (const Error& error) {
    fail(where, ": ", error.what());
  }
}

}  // namespace engine
