// Super-blocks: 256 elements with small scales for each 16 or 32, themselves scaled by one f16.

#include "blocks.h"

/// The 6-bit scales and mins of 8 blocks in 12 bytes: those of blocks 4 to 7 have their upper bits with the others'.
static void read_scales(const uint8_t *from, super_block *out) {
    for (int i = 0; i < 4; i++) {
        out->scales[i] = from[i] & 63;
        out->mins[i] = from[i + 4] & 63;
        out->scales[i + 4] = (from[i + 8] & 15) | from[i] >> 6 << 4;
        out->mins[i + 4] = from[i + 8] >> 4 | from[i + 4] >> 6 << 4;
    }
}

static void read_q4_q5(const uint8_t *from, const uint8_t *fifth_bits, const uint8_t *nibbles, super_block *out) {
    out->d = load_half(from);
    out->dmin = load_half(from + 2);
    read_scales(from + 4, out);
    for (int i = 0; i < SUPER; i++) {
        int block = i / 32, byte = i % 32;
        uint8_t pair = nibbles[block / 2 * 32 + byte];
        out->quants[i] = block % 2 ? pair >> 4 : pair & 15;
        if (fifth_bits) out->quants[i] |= (fifth_bits[byte] >> block & 1) << 4;
    }
}

static void read_q6(const uint8_t *from, super_block *out) {
    const uint8_t *nibbles = from, *upper = from + 128;
    memcpy(out->scales, from + 192, 16);
    out->d = load_half(from + 208);
    for (int i = 0; i < SUPER; i++) {
        int half = i / 128, quarter = i % 128 / 32, byte = i % 32;
        uint8_t pair = nibbles[half * 64 + quarter % 2 * 32 + byte];
        uint8_t bits = upper[half * 32 + byte] >> 2 * quarter & 3;
        out->quants[i] = (quarter < 2 ? pair & 15 : pair >> 4) | bits << 4;
    }
}

void swl_read_super_block(swl_type type, const uint8_t *from, super_block *out) {
    *out = (super_block){0};
    if (type == SWL_Q6_K)
        read_q6(from, out);
    else if (type == SWL_Q5_K)
        read_q4_q5(from, from + 16, from + 48, out);
    else
        read_q4_q5(from, NULL, from + 16, out);
}

void swl_dequantize_supers(swl_type type, const uint8_t *row, size_t columns, float *out) {
    super_block block;
    for (size_t first = 0; first < columns; first += SUPER, row += row_bytes(type, SUPER)) {
        swl_read_super_block(type, row, &block);
        float d = half_to_float(block.d), dmin = half_to_float(block.dmin);
        for (int i = 0; i < SUPER; i++) {
            if (type == SWL_Q6_K) {
                out[first + i] = d * (float)(int8_t)block.scales[i / 16] * (float)(block.quants[i] - 32);
            } else {
                float product = d * block.scales[i / 32] * block.quants[i], least = dmin * block.mins[i / 32];
                out[first + i] = product - least;
            }
        }
    }
}
