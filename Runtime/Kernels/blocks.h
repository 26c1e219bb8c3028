// How rows of weights lie in memory.

#pragma once

#include "include/kernels.h"

enum { BLOCK = 32, Q8_0_BYTES = 34, Q4_0_BYTES = 18 };

static inline size_t row_bytes(swl_type type, size_t columns) {
    switch (type) {
    case SWL_F32: return columns * 4;
    case SWL_F16: return columns * 2;
    case SWL_Q8_0: return columns / BLOCK * Q8_0_BYTES;
    case SWL_Q4_0: return columns / BLOCK * Q4_0_BYTES;
    }
    return 0;
}
