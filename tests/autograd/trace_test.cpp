// Tests autograd/trace.cpp.
#include "autograd/trace.h"

#include <gtest/gtest.h>

#include "autograd/ops.h"
#include "engine/tensor_ops.h"

namespace autograd {
namespace {

TEST(Trace, TellsOpShapesBytesAndWhoFeedsWhom) {
  const Var x(engine::zeros({2, 4})), w = Var::leaf(engine::zeros({3, 4}));
  const Tape tape;
  const Var y = linear(x, w, Var());
  const Var z = add(relu(y), y);
  const std::string text = trace_text(tape, {{w.slot().get(), "fc.weight"}});
  EXPECT_NE(text.find("linear"), std::string::npos) << text;
  EXPECT_NE(text.find("constant [2,4], fc.weight [3,4]"), std::string::npos) << text;
  EXPECT_NE(text.find("#1 [2,3], #0 [2,3]"), std::string::npos) << text;
  // linear saves x (32 bytes; w is a parameter), relu its output (24), add nothing.
  EXPECT_NE(text.find("3 nodes keep 56 bytes"), std::string::npos) << text;
}

TEST(Trace, CountsATensorSavedTwiceOnce) {
  const Var x(engine::zeros({2, 2})), w = Var::leaf(engine::zeros({2, 2}));
  const Tape tape;
  add(matmul(x, w), matmul(x, w));
  const std::string text = trace_text(tape, {});
  EXPECT_NE(text.find("3 nodes keep 16 bytes"), std::string::npos) << text;
}

TEST(Trace, DrawsEdgesAlongTheData) {
  const Var x = Var::leaf(engine::zeros({2, 2}));
  const Tape tape;
  relu(relu(x));
  const std::string dot = trace_graphviz(tape, {{x.slot().get(), "x"}});
  EXPECT_TRUE(dot.starts_with("digraph"));
  EXPECT_NE(dot.find("n0 -> n1;"), std::string::npos) << dot;
  EXPECT_NE(dot.find("x [2,2]"), std::string::npos) << dot;
}

}  // namespace
}  // namespace autograd
