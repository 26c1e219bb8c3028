// How rows of weights lie in a GGUF file, and numbers of 16 bits.

#pragma once

#include "include/kernels.h"

#include <math.h>
#include <string.h>

enum { BLOCK = 32, Q8_0_BYTES = 34, Q4_0_BYTES = 18 };
enum { SUPER = 256, Q4_K_BYTES = 144, Q5_K_BYTES = 176, Q6_K_BYTES = 210 };

static inline size_t row_bytes(swl_type type, size_t columns) {
    switch (type) {
    case SWL_F32: return columns * 4;
    case SWL_F16:
    case SWL_BF16: return columns * 2;
    case SWL_Q8_0: return columns / BLOCK * Q8_0_BYTES;
    case SWL_Q4_0: return columns / BLOCK * Q4_0_BYTES;
    case SWL_Q4_K: return columns / SUPER * Q4_K_BYTES;
    case SWL_Q5_K: return columns / SUPER * Q5_K_BYTES;
    case SWL_Q6_K: return columns / SUPER * Q6_K_BYTES;
    }
    return 0;
}

/// Where the keys of 16 positions have elements 32 * span and those after it: see swl_attention.
static inline size_t key_span(size_t span) { return span * Q8_0_BYTES * SWL_BLOCK; }

static inline float float_of_bits(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline uint32_t bits_of_float(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline float half_to_float(uint16_t half) {
    uint32_t sign = (uint32_t)(half & 0x8000) << 16, exponent = half >> 10 & 31, fraction = half & 1023;
    if (exponent == 0) {
        float magnitude = ldexpf((float)fraction, -24);
        return sign ? -magnitude : magnitude;
    }
    return float_of_bits(sign | (exponent == 31 ? 255 : exponent + 112) << 23 | fraction << 13);
}

static inline uint16_t load_half(const uint8_t *from) {
    uint16_t half;
    memcpy(&half, from, sizeof half);
    return half;
}

/// A block of 256 of Q4_K, Q5_K or Q6_K with its fields spread out. Element i is
///   Q4_K, Q5_K   d · scales[i / 32] · quants[i] - dmin · mins[i / 32]
///   Q6_K         d · (int8_t)scales[i / 16] · (quants[i] - 32)
typedef struct {
    uint16_t d, dmin;
    uint8_t scales[16], mins[8];
    uint8_t quants[SUPER];
} super_block;

/// Reads the super-block at `from`. Source of the formats: ggml-common.h and `dequantize_row_q4_K` and its siblings in
/// https://github.com/ggml-org/ggml/blob/master/src/ggml-quants.c
void swl_read_super_block(swl_type type, const uint8_t *from, super_block *out);

/// Rows of Q4_K, Q5_K and Q6_K as floats, in every build.
void swl_dequantize_supers(swl_type type, const uint8_t *row, size_t columns, float *out);
