// The JSON header of a safetensors file: which tensor lies where. Knows no files; tensor_file.cpp
// reads and writes the bytes around it.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "engine/device.h"
#include "engine/error.h"
#include "engine/shape.h"

namespace engine {

inline constexpr int64_t kMaxHeaderBytes = 100'000'000;  // the format's own limit

// An element type of the format and what it becomes in memory.
struct StoredType {
  const char* name;
  int64_t bytes;
  DType dtype;
  // Where the stored elements are narrower than those in memory: turns `count` narrow ones, lying
  // at the end of the memory, into wide ones that fill it.
  void (*widen)(std::byte* memory, int64_t count) = nullptr;
};
const StoredType& stored_type(DType);

// A tensor's bytes begin .. end-1 behind the header.
struct StoredTensor {
  std::string name;
  const StoredType* type;
  Shape shape;
  int64_t begin, end;
};

struct TensorFileHeader {
  std::vector<StoredTensor> tensors;  // in the order of their bytes
  std::map<std::string, std::string> metadata;
};

// The header in `text`, in front of `data_bytes` bytes of data. Throws Error unless every one of
// them belongs to exactly one tensor, whose type is known and whose shape needs just that many.
TensorFileHeader parse_header(const std::string& text, int64_t data_bytes);

// The text of a header, with sorted keys, padded with spaces to a multiple of 8 bytes.
std::string header_text(const TensorFileHeader& header);

// Text of a file as a message may show it: on one line and not endless.
std::string shown(const std::string& text);

// "tensor 'NAME'", whatever a file's name may be: on one line and not endless.
std::string tensor_called(const std::string& name);

// Runs f; an Error out of it gets `where` in front.
template <class F>
decltype(auto) within(const std::string& where, F f) {
  try {
    return f();
  } catch (const Error& error) {
    fail(where, ": ", error.what());
  }
}

}  // namespace engine
