#include "tests/support/conv_cases.h"

namespace test_support {

const std::vector<ConvCase>& conv_cases() {
  static const std::vector<ConvCase> cases = {
      {{2, 3, 17, 14}, {16, 3, 7, 7}, {.stride = 2, .padding = 3}},
      {{3, 16, 9, 7}, {32, 16, 3, 3}, {.padding = 1}},
      {{1, 16, 9, 10}, {16, 16, 3, 3}, {.stride = 2, .padding = 1}},
      {{2, 32, 6, 6}, {48, 32, 1, 1}, {}},
      {{2, 32, 7, 5}, {16, 32, 1, 1}, {.stride = 2}},
      {{2, 5, 8, 6}, {7, 5, 3, 3}, {.padding = 1}},
      {{1, 16, 11, 11}, {16, 16, 3, 3}, {.padding = 2, .dilation = 2}},
      {{2, 6, 9, 8}, {4, 3, 3, 3}, {.stride = 3, .padding = 2, .groups = 2}},
      {{2, 32, 7, 7}, {32, 8, 3, 3}, {.padding = 1, .groups = 4}},
      {{2, 16, 6, 7}, {16, 1, 3, 3}, {.padding = 1, .groups = 16}},
      {{1, 16, 1, 1}, {32, 16, 1, 1}, {}},
      {{2, 48, 13, 15},
       {80, 48, 3, 3},
       {.padding = 1}},  // several blocks of the reference's product
      {{3, 24, 7, 9}, {24, 1, 5, 3}, {.stride = 2, .padding = 2, .groups = 24}},
      // oneDNN has only reference loops for these in the engine's layouts.
      {{3, 32, 6, 5}, {10, 32, 1, 1}, {}},
      {{1, 24, 6, 8}, {32, 24, 3, 3}, {.padding = 1}},
      {{2, 32, 12, 11}, {32, 32, 3, 3}, {.stride = 2, .padding = 2, .dilation = 2}},
      {{1, 32, 9, 6}, {16, 32, 1, 1}, {.stride = 2, .padding = 3}},
      {{2, 128, 5, 6}, {128, 4, 3, 3}, {.padding = 1, .groups = 32}},
  };
  return cases;
}

}  // namespace test_support
