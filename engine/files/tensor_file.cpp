#include "engine/files/tensor_file.h"

#include <algorithm>
#include <bit>
#include <span>

#include "engine/files/atomic_file.h"
#include "engine/files/input_file.h"
#include "engine/files/tensor_file_header.h"
#include "engine/tensor_ops.h"

namespace engine {
namespace {

static_assert(std::endian::native == std::endian::little, "the format's numbers are little-endian");

constexpr int64_t kLengthBytes = 8;  // of the number before the header

std::string file_called(const std::filesystem::path& path) {
  const std::string name = path.string();
  return "'" + name + "'";
}

// The header as text.
std::string read_header_text(const InputFile& file) {
  const int64_t size = file.size();
  require(size >= kLengthBytes, "not a safetensors file: it has only ", size, " bytes");
  uint64_t length = 0;
  file.read(0, std::as_writable_bytes(std::span(&length, 1)));
  require(length > 0 && length <= static_cast<uint64_t>(kMaxHeaderBytes),
          "not a safetensors file: it claims a header of ", length, " bytes, expected 1 to ",
          kMaxHeaderBytes);
  require(length <= static_cast<uint64_t>(size - kLengthBytes), "cut short, or not a safetensors ",
          "file: it claims a header of ", length, " bytes, but has only ", size, " in all");
  std::string text(length, '\0');
  file.read(kLengthBytes, std::as_writable_bytes(std::span(text)));
  return text;
}

Tensor read_tensor(const InputFile& file, const StoredTensor& stored, int64_t data_begin) {
  Tensor tensor(stored.shape, stored.type->dtype);
  auto* memory = static_cast<std::byte*>(tensor.raw());
  const int64_t bytes = stored.end - stored.begin;
  file.read(data_begin + stored.begin,
            {memory + (tensor.bytes() - bytes), static_cast<size_t>(bytes)});
  if (stored.type->widen != nullptr) stored.type->widen(memory, tensor.elements());
  return tensor;
}

// Tensors with wide elements come first, sorted by name within one width. So every tensor is
// aligned without gaps between them.
TensorFileHeader header_of(const TensorFile& file) {
  TensorFileHeader header{.tensors = {}, .metadata = file.metadata};
  for (const auto& [name, tensor] : file.tensors) {
    require(tensor.defined(), tensor_called(name), " is not defined");
    header.tensors.push_back(
        {name, &stored_type(tensor.dtype()), tensor.shape(), 0, tensor.bytes()});
  }
  std::ranges::stable_sort(header.tensors, std::greater{},
                           [](const StoredTensor& t) { return t.type->bytes; });
  int64_t offset = 0;
  for (StoredTensor& t : header.tensors) {
    t.begin = offset;
    offset = t.end += offset;
  }
  return header;
}

}  // namespace

TensorFile read_tensor_file(const std::filesystem::path& path) {
  return within(file_called(path), [&] {
    const InputFile file(path);
    const std::string text = read_header_text(file);
    const int64_t data_begin = kLengthBytes + static_cast<int64_t>(text.size());
    TensorFileHeader header = parse_header(text, file.size() - data_begin);
    TensorFile result;
    for (const StoredTensor& stored : header.tensors) {
      result.tensors[stored.name] =
          within(tensor_called(stored.name), [&] { return read_tensor(file, stored, data_begin); });
    }
    result.metadata = std::move(header.metadata);
    result.source = path;
    return result;
  });
}

void write_tensor_file(const std::filesystem::path& path, const TensorFile& file) {
  TensorFileHeader header;
  const std::string text = within("cannot write " + file_called(path), [&] {
    header = header_of(file);
    return header_text(header);
  });
  const uint64_t length = text.size();
  AtomicFile out(path);
  out.write(std::as_bytes(std::span(&length, 1)));
  out.write(std::as_bytes(std::span(text)));
  for (const StoredTensor& stored : header.tensors) {
    const Tensor plain = to_layout(to_device(file.tensors.at(stored.name), kCpu), Layout::plain);
    out.write({static_cast<const std::byte*>(plain.raw()), static_cast<size_t>(plain.bytes())});
  }
  out.commit();
}

std::string file_called(const TensorFile& file) {
  return file.source.empty() ? "tensors" : file_called(file.source);
}

const Tensor& find_tensor(const TensorFile& file, std::string_view name) {
  const auto found = file.tensors.find(std::string(name));
  if (found != file.tensors.end()) return found->second;
  fail(file_called(file), ": ", tensor_called(std::string(name)), " is missing; the file has ",
       file.tensors.size(), " others");
}

}  // namespace engine
