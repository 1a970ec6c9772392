#include "autograd/trace.h"

#include <iomanip>
#include <set>
#include <sstream>

namespace autograd {
namespace {

std::string text_of(const Shape& shape) {
  std::ostringstream out;
  out << shape;
  return out.str();
}

// Where an input comes from: "#12" for a node's output, the name of a leaf, or "constant".
std::string source_of(const GradSlot& slot, const LeafNames& names) {
  if (slot.producer >= 0) return "#" + std::to_string(slot.producer);
  const auto found = names.find(&slot);
  if (found != names.end()) return found->second;
  return slot.needs_grad ? "leaf" : "constant";
}

// Counts the bytes that nodes have saved, each tensor once.
class SavedBytes {
 public:
  int64_t newly_saved(const Node& node) {
    int64_t bytes = 0;
    for (const Node::Saved& saved : node.saved) {
      if (seen_.insert(saved.buffer).second) bytes += saved.bytes;
    }
    total_ += bytes;
    return bytes;
  }
  int64_t total() const { return total_; }

 private:
  std::set<const engine::Buffer*> seen_;
  int64_t total_ = 0;
};

std::string inputs_of(const Node& node, const LeafNames& names) {
  std::string text;
  for (const auto& input : node.inputs) {
    if (!input) continue;
    text += (text.empty() ? "" : ", ") + source_of(*input, names) + " " + text_of(input->shape);
  }
  return text;
}

}  // namespace

std::string trace_text(const Tape& tape, const LeafNames& names) {
  std::ostringstream out;
  SavedBytes saved;
  out << "node  op                  output            saved bytes  inputs\n";
  for (const Node& node : tape.nodes()) {
    out << '#' << std::left << std::setw(5) << node.output->producer << std::setw(20) << node.op
        << std::setw(18) << text_of(node.output->shape) << std::right << std::setw(11)
        << saved.newly_saved(node) << "  " << inputs_of(node, names) << '\n';
  }
  out << tape.nodes().size() << " nodes keep " << saved.total() << " bytes for backward\n";
  return out.str();
}

std::string trace_graphviz(const Tape& tape, const LeafNames& names) {
  std::ostringstream out;
  SavedBytes saved;
  out << "digraph tape {\n  rankdir=TB;\n  node [shape=box, fontname=\"sans-serif\"];\n";
  for (const Node& node : tape.nodes()) {
    const int64_t number = node.output->producer;
    std::string parameters;
    for (const auto& input : node.inputs) {
      if (!input) continue;
      if (input->producer >= 0) {
        out << "  n" << input->producer << " -> n" << number << ";\n";
      } else {
        parameters += "\\n" + source_of(*input, names) + " " + text_of(input->shape);
      }
    }
    out << "  n" << number << " [label=\"#" << number << " " << node.op << " "
        << text_of(node.output->shape) << "\\nsaves " << saved.newly_saved(node) << " bytes"
        << parameters << "\"];\n";
  }
  out << "}\n";
  return out.str();
}

}  // namespace autograd
