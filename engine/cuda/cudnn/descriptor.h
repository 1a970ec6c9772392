// cuDNN 9's backend API in C++: descriptors free themselves, the type of an attribute follows from
// its value, and every status is checked.
#pragma once

#include <cudnn.h>

#include <cstdint>
#include <memory>
#include <source_location>
#include <vector>

namespace engine {

// Like the overloads in engine/cuda/check.h. The message includes cuDNN's own explanation.
void check(cudnnStatus_t status,
           const std::source_location& where = std::source_location::current());

// cuDNN's name for the type of an attribute's values.
constexpr cudnnBackendAttributeType_t attribute_type(int64_t) { return CUDNN_TYPE_INT64; }
constexpr cudnnBackendAttributeType_t attribute_type(float) { return CUDNN_TYPE_FLOAT; }
constexpr cudnnBackendAttributeType_t attribute_type(void*) { return CUDNN_TYPE_VOID_PTR; }
constexpr cudnnBackendAttributeType_t attribute_type(cudnnHandle_t) { return CUDNN_TYPE_HANDLE; }
constexpr cudnnBackendAttributeType_t attribute_type(cudnnDataType_t) {
  return CUDNN_TYPE_DATA_TYPE;
}
constexpr cudnnBackendAttributeType_t attribute_type(cudnnConvolutionMode_t) {
  return CUDNN_TYPE_CONVOLUTION_MODE;
}
constexpr cudnnBackendAttributeType_t attribute_type(cudnnBackendHeurMode_t) {
  return CUDNN_TYPE_HEUR_MODE;
}
constexpr cudnnBackendAttributeType_t attribute_type(cudnnBackendNumericalNote_t) {
  return CUDNN_TYPE_NUMERICAL_NOTE;
}

// A node of cuDNN's description of a problem. Its attributes are set, then it is finalised. It
// refers to other descriptors, which must live until the plan made from them is finalised.
class CudnnDescriptor {
 public:
  using Name = cudnnBackendAttributeName_t;

  explicit CudnnDescriptor(cudnnBackendDescriptorType_t type);
  cudnnBackendDescriptor_t get() const { return raw_.get(); }

  template <class T>
  void set(Name name, const std::vector<T>& values) {
    set_raw(name, attribute_type(T{}), static_cast<int64_t>(values.size()), values.data());
  }
  template <class T>
  void set(Name name, T value) {
    set_raw(name, attribute_type(value), 1, &value);
  }
  void set(Name name, const CudnnDescriptor& value) {
    const cudnnBackendDescriptor_t raw = value.get();
    set_raw(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &raw);
  }

  // The value of an attribute that has exactly one.
  template <class T>
  T get(Name name) const {
    T value{};
    get_raw(name, attribute_type(value), 1, &value);
    return value;
  }
  // The values of an attribute, at most `most` of them.
  template <class T>
  std::vector<T> get(Name name, int64_t most) const {
    std::vector<T> values(static_cast<size_t>(most));
    values.resize(static_cast<size_t>(get_raw(name, attribute_type(T{}), most, values.data())));
    return values;
  }
  // An upper bound on the number of descriptors that an attribute has.
  int64_t count(Name name) const {
    return get_raw(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 0, nullptr);
  }
  // Fills `into`, descriptors of the attribute's type; returns how many it has filled.
  int64_t get(Name name, const std::vector<CudnnDescriptor>& into) const;

  void finalize(const std::source_location& where = std::source_location::current());
  // False if cuDNN has no kernel for what is described. Throws on every other failure.
  bool finalize_if_supported(const std::source_location& where = std::source_location::current());

 private:
  void set_raw(Name name, cudnnBackendAttributeType_t type, int64_t count, const void* values);
  int64_t get_raw(Name name, cudnnBackendAttributeType_t type, int64_t room, void* values) const;

  struct Destroy {
    void operator()(cudnnBackendDescriptor_t raw) const { cudnnBackendDestroyDescriptor(raw); }
  };
  std::unique_ptr<void, Destroy> raw_;
};

}  // namespace engine
