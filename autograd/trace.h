// A recorded tape in words and as a graph, for people who want to see what a training step is.
#pragma once

#include <map>
#include <string>

#include "autograd/tape.h"

namespace autograd {

// Names for the leaves of a tape, e.g. its parameters'.
using LeafNames = std::map<const GradSlot*, std::string>;

// One line a node, in the order of recording: number, op, inputs (#node or parameter) with shapes,
// output shape, bytes saved for backward. A tensor that several nodes save counts at the first;
// parameters do not count.
std::string trace_text(const Tape& tape, const LeafNames& names);

// The same as a Graphviz digraph: dot -Tsvg trace.dot > trace.svg
std::string trace_graphviz(const Tape& tape, const LeafNames& names);

}  // namespace autograd
