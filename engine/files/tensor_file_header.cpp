#include "engine/files/tensor_file_header.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "engine/files/escaped.h"

namespace engine {
namespace {

using Json = nlohmann::json;

constexpr const char* kMetadata = "__metadata__";

int64_t from_i32(int32_t value) { return value; }

float from_bf16(uint16_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }

float from_f16(uint16_t bits) {  // sign 1 bit, exponent 5, fraction 10
  const int exponent = bits >> 10 & 31, fraction = bits & 1023;
  float value = std::ldexp(static_cast<float>(fraction + 1024), exponent - 25);
  if (exponent == 0) value = std::ldexp(static_cast<float>(fraction), -24);
  if (exponent == 31) {
    value = fraction == 0 ? std::numeric_limits<float>::infinity()
                          : std::numeric_limits<float>::quiet_NaN();
  }
  return (bits & 0x8000) != 0 ? -value : value;
}

// Works in place, because element i is never written beyond the bytes it was read from.
template <auto convert, class From, class To = decltype(convert(From{}))>
void widen(std::byte* to, int64_t count) {
  const std::byte* from = to + count * static_cast<int64_t>(sizeof(To) - sizeof(From));
  for (int64_t i = 0; i < count; ++i, from += sizeof(From), to += sizeof(To)) {
    From narrow;
    std::memcpy(&narrow, from, sizeof(From));
    const To wide = convert(narrow);
    std::memcpy(to, &wide, sizeof(To));
  }
}

constexpr StoredType kTypes[] = {{"F32", 4, DType::f32},
                                 {"F64", 8, DType::f64},
                                 {"I64", 8, DType::i64},
                                 {"U8", 1, DType::u8},
                                 {"I32", 4, DType::i64, widen<from_i32, int32_t>},
                                 {"F16", 2, DType::f32, widen<from_f16, uint16_t>},
                                 {"BF16", 2, DType::f32, widen<from_bf16, uint16_t>}};

const StoredType& type_called(const std::string& name) {
  std::string known;
  for (const StoredType& type : kTypes) {
    if (name == type.name) return type;
    known += std::string(" ") + type.name;
  }
  fail("unknown dtype '", shown(name), "', expected one of", known);
}

// Refuses a key that appears twice, because readers disagree about which of the two counts.
Json parse_json(const std::string& text) {
  constexpr int kMaxDepth = 3;  // the header, the entry of a tensor, its shape
  std::vector<std::set<std::string>> open_objects;
  const auto watch = [&](int depth, Json::parse_event_t event, Json& parsed) {
    require(depth <= kMaxDepth, "the header is nested too deeply");
    if (event == Json::parse_event_t::object_start) open_objects.emplace_back();
    if (event == Json::parse_event_t::object_end) open_objects.pop_back();
    if (event == Json::parse_event_t::key) {
      const auto& key = parsed.get_ref<const std::string&>();
      require(open_objects.back().insert(key).second, "the header has the key '", shown(key),
              "' twice");
    }
    return true;
  };
  // The parser would mistake a zero byte for the end of the text.
  require(text.find('\0') == std::string::npos, "the header is not JSON: it contains a zero byte");
  try {
    return Json::parse(text, watch);
  } catch (const Json::exception& error) {
    fail("the header is not JSON: ", shown(error.what()));
  }
}

const Json& field(const Json& entry, const char* key) {
  require(entry.contains(key), "the header lacks its '", key, "'");
  return entry[key];
}

std::vector<int64_t> integers(const Json& entry, const char* key) {
  const Json& array = field(entry, key);
  require(array.is_array(), "its '", key, "' must be an array of integers");
  std::vector<int64_t> values;
  for (const Json& value : array) {
    // The parser returns integers too large for 64 bits as floating-point numbers.
    const bool too_large =
        value.is_number_unsigned() && value.get<uint64_t>() > uint64_t{INT64_MAX};
    require(value.is_number_integer() && !too_large, "its '", key,
            "' must hold integers below 2^63, found ", shown(value.dump()));
    values.push_back(value.get<int64_t>());
  }
  return values;
}

StoredTensor parse_tensor(const std::string& name, const Json& json, int64_t data_bytes) {
  require(json.is_object(), "its entry in the header must be an object");
  const Json& dtype = field(json, "dtype");
  require(dtype.is_string(), "its 'dtype' must be a string");
  const StoredType& type = type_called(dtype.get_ref<const std::string&>());
  const Shape shape(integers(json, "shape"));
  const std::vector<int64_t> offsets = integers(json, "data_offsets");
  require(offsets.size() == 2, "its 'data_offsets' must be two integers, found ", offsets.size());
  const int64_t begin = offsets[0], end = offsets[1], expected = shape.elements() * type.bytes;
  require(0 <= begin && begin <= end && end <= data_bytes, "its data_offsets [", begin, ",", end,
          "] are not in order within the file's ", data_bytes, " bytes of data");
  require(end - begin == expected, "its data_offsets [", begin, ",", end, "] hold ", end - begin,
          " bytes, but ", type.name, " ", shape, " needs ", expected);
  return {name, &type, shape, begin, end};
}

std::map<std::string, std::string> parse_metadata(const Json& json) {
  require(json.is_object(), kMetadata, " must be an object of strings");
  std::map<std::string, std::string> metadata;
  for (const auto& [key, value] : json.items()) {
    require(value.is_string(), kMetadata, ": the value of '", shown(key), "' must be a string");
    metadata[key] = value.get<std::string>();
  }
  return metadata;
}

void require_gapless(const std::vector<StoredTensor>& tensors, int64_t data_bytes) {
  int64_t end = 0;
  for (const StoredTensor& t : tensors) {
    require(t.begin >= end, tensor_called(t.name), ": its data begin at byte ", t.begin,
            " and overlap those of another tensor, which end at ", end);
    require(t.begin == end, tensor_called(t.name), ": there is a gap before its data: bytes ", end,
            " to ", t.begin, " belong to no tensor");
    end = t.end;
  }
  require(end == data_bytes, "the last ", data_bytes - end, " bytes belong to no tensor");
}

}  // namespace

std::string shown(const std::string& text) {
  constexpr size_t kMost = 160;
  return text.size() > kMost ? escaped(text.substr(0, kMost)) + "..." : escaped(text);
}

std::string tensor_called(const std::string& name) {
  const std::string text = shown(name);
  return "tensor '" + text + "'";
}

const StoredType& stored_type(DType dtype) {
  const auto same = [dtype](const StoredType& type) { return type.dtype == dtype && !type.widen; };
  const auto found = std::ranges::find_if(kTypes, same);
  require(found != std::end(kTypes), "tensors of ", dtype,
          " cannot be written: convert them to f32");
  return *found;
}

TensorFileHeader parse_header(const std::string& text, int64_t data_bytes) {
  require(text.starts_with('{'), "not a safetensors file: its header does not begin with '{'");
  const Json entries = parse_json(text);
  TensorFileHeader header;
  for (const auto& entry : entries.items()) {
    if (entry.key() == kMetadata) {
      header.metadata = parse_metadata(entry.value());
    } else {
      header.tensors.push_back(within(tensor_called(entry.key()), [&] {
        return parse_tensor(entry.key(), entry.value(), data_bytes);
      }));
    }
  }
  std::ranges::sort(header.tensors, {},
                    [](const StoredTensor& t) { return std::pair(t.begin, t.end); });
  require_gapless(header.tensors, data_bytes);
  return header;
}

std::string header_text(const TensorFileHeader& header) {
  Json json = Json::object();
  if (!header.metadata.empty()) json[kMetadata] = header.metadata;
  for (const StoredTensor& t : header.tensors) {
    require(t.name != kMetadata, "a tensor cannot be called ", kMetadata);
    json[t.name] = {{"dtype", t.type->name},
                    {"shape", std::vector<int64_t>(t.shape.begin(), t.shape.end())},
                    {"data_offsets", {t.begin, t.end}}};
  }
  std::string text;
  try {
    text = json.dump();
  } catch (const Json::exception& error) {
    fail("a name or the metadata cannot be written: ", shown(error.what()));
  }
  text.resize((text.size() + 7) / 8 * 8, ' ');
  require(static_cast<int64_t>(text.size()) <= kMaxHeaderBytes, "the header would have ",
          text.size(), " bytes; at most ", kMaxHeaderBytes, " are allowed");
  return text;
}

}  // namespace engine
