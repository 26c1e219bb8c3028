// Writing what blocks.h reads.

#pragma once

#include "blocks.h"

/// To nearest, ties to even; what is too large becomes infinity.
static inline uint16_t float_to_half(float value) {
    uint32_t bits = bits_of_float(value), magnitude = bits & 0x7fffffff;
    uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
    if (magnitude > 0x7f800000) return sign | 0x7e00;
    if (magnitude >= 0x477ff000) return sign | 0x7c00;
    // Below 2^-14 the unit is 2^-24: adding 0.5, whose unit that is, rounds to it.
    if (magnitude < 0x38800000) return sign | (uint16_t)(bits_of_float(float_of_bits(magnitude) + 0.5f) - bits_of_float(0.5f));
    return sign | (uint16_t)((magnitude - 0x38000000 + 0xfff + (magnitude >> 13 & 1)) >> 13);
}

static inline void store_half(uint16_t half, uint8_t *out) { memcpy(out, &half, sizeof half); }

/// A block of Q6_K: element i is d · scales[i / 16] · (quants[i] - 32).
static inline void put_q6_block(const uint8_t quants[SUPER], const int8_t scales[16], uint16_t d, uint8_t *out) {
    uint8_t *low = out, *high = out + 128;
    for (size_t half = 0; half < SUPER; half += 128, low += 64, high += 32) {
        for (size_t j = 0; j < 32; j++) {
            const uint8_t *q = quants + half + j;
            low[j] = (uint8_t)((q[0] & 15) | (q[64] & 15) << 4);
            low[j + 32] = (uint8_t)((q[32] & 15) | (q[96] & 15) << 4);
            high[j] = (uint8_t)(q[0] >> 4 | q[32] >> 4 << 2 | q[64] >> 4 << 4 | q[96] >> 4 << 6);
        }
    }
    memcpy(out + 192, scales, 16);
    store_half(d, out + 208);
}
