// A recorded tape as text and as a graph, for readers who want to see what a training step does.
#pragma once

#include <map>
#include <string>

#include "autograd/tape.h"

namespace autograd {

// Names for the leaves of a tape, e.g. its parameters'.
using LeafNames = std::map<const GradSlot*, std::string>;

// One line per node, in the order of recording: number, op, output shape, bytes saved for backward,
// inputs (#node or parameter) with their shapes. A tensor that several nodes save is counted at the
// first of them; parameters are not counted.
std::string trace_text(const Tape& tape, const LeafNames& names);

// The same as a Graphviz digraph: dot -Tsvg trace.dot > trace.svg
std::string trace_graphviz(const Tape& tape, const LeafNames& names);

}  // namespace autograd
