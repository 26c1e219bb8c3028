// Rows of types that the kernels do not compute with: as floats, and as rows of a type that they do compute with.

#include "blocks.h"
#include "include/formats.h"
#include "write.h"

static const int8_t nonlinear[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
/// Twice what the 4-bit floats E2M1 stand for.
static const int8_t small_floats[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

static size_t block_bytes(swl_foreign_type type) {
    switch (type) {
    case SWL_MXFP4: return 17;
    case SWL_IQ4_NL: return 18;
    case SWL_Q4_1: return 20;
    case SWL_Q5_0: return 22;
    case SWL_Q5_1: return 24;
    case SWL_Q2_K: return 84;
    case SWL_Q3_K: return 110;
    case SWL_IQ4_XS: return 136;
    }
    return 0;
}

static size_t block_length(swl_foreign_type type) {
    return type == SWL_Q2_K || type == SWL_Q3_K || type == SWL_IQ4_XS ? SUPER : BLOCK;
}

size_t swl_foreign_row_bytes(swl_foreign_type type, size_t columns) { return columns / block_length(type) * block_bytes(type); }

swl_type swl_native_type(swl_foreign_type type) { return type == SWL_Q3_K ? SWL_Q6_K : SWL_Q8_0; }

swl_loss swl_conversion_loss(swl_foreign_type type) {
    switch (type) {
    case SWL_Q5_0:
    case SWL_IQ4_NL:
    case SWL_MXFP4:
    case SWL_Q3_K: return SWL_EXACT;
    case SWL_IQ4_XS: return SWL_ROUNDED_SCALES;
    case SWL_Q4_1:
    case SWL_Q5_1:
    case SWL_Q2_K: break;
    }
    return SWL_ROUNDED_WEIGHTS;
}

/// Element j of a block is its bits 0 to 3 of byte j, or 4 to 7 of byte j - 16.
static int nibble(const uint8_t *bytes, size_t j) { return j < 16 ? bytes[j] & 15 : bytes[j - 16] >> 4; }

static uint32_t load_word(const uint8_t *from) {
    uint32_t word;
    memcpy(&word, from, sizeof word);
    return word;
}

/// 32 elements that are a whole number times a scale each.
typedef struct {
    float scale;
    int8_t quants[BLOCK];
} scaled_block;

/// The block of Q5_0, IQ4_NL or MXFP4 at `from`.
static scaled_block read_scaled(swl_foreign_type type, const uint8_t *from) {
    scaled_block block;
    switch (type) {
    case SWL_Q5_0: {
        uint32_t high = load_word(from + 2);
        block.scale = half_to_float(load_half(from));
        for (size_t j = 0; j < BLOCK; j++) block.quants[j] = (int8_t)((nibble(from + 6, j) | (int)(high >> j & 1) << 4) - 16);
        break;
    }
    case SWL_IQ4_NL:
        block.scale = half_to_float(load_half(from));
        for (size_t j = 0; j < BLOCK; j++) block.quants[j] = nonlinear[nibble(from + 2, j)];
        break;
    default:
        // A power of two, and half of it for the doubled floats.
        block.scale = from[0] < 2 ? float_of_bits(0x200000u << from[0]) : float_of_bits((uint32_t)(from[0] - 1) << 23);
        for (size_t j = 0; j < BLOCK; j++) block.quants[j] = small_floats[nibble(from + 1, j)];
    }
    return block;
}

/// The 16 scales of a block of Q3_K, -32 to 31, of which 4 bits and 2 bits lie apart.
static void read_q3_scales(const uint8_t *from, int8_t scales[16]) {
    for (size_t j = 0; j < 16; j++) {
        int low = j < 8 ? from[j] & 15 : from[j - 8] >> 4, high = from[8 + j % 4] >> (2 * (j / 4)) & 3;
        scales[j] = (int8_t)((low | high << 4) - 32);
    }
}

/// -4 to 3
static int q3_quant(const uint8_t *block, size_t i) {
    const uint8_t *mask = block, *low = block + 32;
    size_t half = i / 128, part = i % 128 / 32, j = i % 32;
    return (low[half * 32 + j] >> (2 * part) & 3) - (mask[j] >> (half * 4 + part) & 1 ? 0 : 4);
}

static int iq4_scale(const uint8_t *block, size_t group) {
    int low = block[4 + group / 2] >> (4 * (group % 2)) & 15, high = load_half(block + 2) >> (2 * group) & 3;
    return (low | high << 4) - 32;
}

static void decode_block(swl_foreign_type type, const uint8_t *from, float *out) {
    switch (type) {
    case SWL_Q5_0:
    case SWL_IQ4_NL:
    case SWL_MXFP4: {
        scaled_block block = read_scaled(type, from);
        for (size_t j = 0; j < BLOCK; j++) out[j] = block.scale * (float)block.quants[j];
        break;
    }
    case SWL_Q4_1: {
        float scale = half_to_float(load_half(from)), least = half_to_float(load_half(from + 2));
        for (size_t j = 0; j < BLOCK; j++) out[j] = (float)nibble(from + 4, j) * scale + least;
        break;
    }
    case SWL_Q5_1: {
        float scale = half_to_float(load_half(from)), least = half_to_float(load_half(from + 2));
        uint32_t high = load_word(from + 4);
        for (size_t j = 0; j < BLOCK; j++) out[j] = (float)(nibble(from + 8, j) | (int)(high >> j & 1) << 4) * scale + least;
        break;
    }
    case SWL_Q2_K: {
        float scale = half_to_float(load_half(from + 80)), least = half_to_float(load_half(from + 82));
        for (size_t i = 0; i < SUPER; i++) {
            uint8_t scales = from[i / 16];
            int quant = from[16 + i / 128 * 32 + i % 32] >> (i % 128 / 32 * 2) & 3;
            out[i] = scale * (float)(scales & 15) * (float)quant - least * (float)(scales >> 4);
        }
        break;
    }
    case SWL_Q3_K: {
        int8_t scales[16];
        read_q3_scales(from + 96, scales);
        float scale = half_to_float(load_half(from + 108));
        for (size_t i = 0; i < SUPER; i++) out[i] = scale * (float)scales[i / 16] * (float)q3_quant(from, i);
        break;
    }
    case SWL_IQ4_XS: {
        float scale = half_to_float(load_half(from));
        for (size_t i = 0; i < SUPER; i++)
            out[i] = scale * (float)iq4_scale(from, i / 32) * (float)nonlinear[nibble(from + 8 + i / 32 * 16, i % 32)];
        break;
    }
    }
}

void swl_decode_row(swl_foreign_type type, const void *row, size_t columns, float *out) {
    const uint8_t *from = row;
    size_t length = block_length(type), bytes = block_bytes(type);
    for (size_t i = 0; i < columns; i += length, from += bytes) decode_block(type, from, out + i);
}

static uint8_t *put_scaled(float scale, const int8_t *quants, uint8_t *out) {
    store_half(float_to_half(scale), out);
    memcpy(out + 2, quants, BLOCK);
    return out + Q8_0_BYTES;
}

static float largest_of(const float *values) {
    float largest = 0;
    for (size_t j = 0; j < BLOCK; j++) largest = fmaxf(largest, fabsf(values[j]));
    return largest;
}

/// The scale by which any floats become Q8_0.
static float plain_scale(const float *values) { return half_to_float(float_to_half(largest_of(values) / 127)); }

/// The most by which a value changes that is rounded to a whole number of scales.
static float change_by(float scale, const float *values) {
    float factor = 1 / scale, most = 0;
    for (size_t j = 0; j < BLOCK; j++) {
        float exact = values[j] * factor;
        // Adding and taking away 1.5 · 2^23 rounds.
        most = fmaxf(most, fabsf(exact - ((exact + 12582912.0f) - 12582912.0f)));
    }
    return most * scale;
}

/// The scale by which floats that lie a `step` apart lose least: where a whole number of scales makes a step, all of them are off
/// by the same, which is little for one such number or another.
/// - Parameter best: a scale that is known; its loss is what others are compared with.
static float scale_for_steps(float step, const float *values, float best) {
    if (!(best > 0) || !(step > 0)) return best;
    float least = change_by(best, values), most = fminf(127, 127 * step / largest_of(values));
    for (int parts = 1; parts <= (int)most; parts++) {
        float scale = half_to_float(float_to_half(step / (float)parts));
        if (!(scale > 0)) break;
        float change = change_by(scale, values);
        if (change < least) least = change, best = scale;
    }
    return best;
}

/// Q8_0 of floats.
static uint8_t *put_rounded(const float *values, float scale, uint8_t *out) {
    int8_t quants[BLOCK];
    for (size_t j = 0; j < BLOCK; j++) quants[j] = scale > 0 ? (int8_t)fmaxf(-127, fminf(127, rintf(values[j] / scale))) : 0;
    return put_scaled(scale, quants, out);
}

static void convert_block(swl_foreign_type type, const uint8_t *from, uint8_t *out) {
    switch (type) {
    case SWL_Q5_0:
    case SWL_IQ4_NL:
    case SWL_MXFP4: {
        scaled_block block = read_scaled(type, from);
        // Powers of two beyond half precision, where MXFP4 has 255 of them: as near as there is.
        if (half_to_float(float_to_half(block.scale)) == block.scale) {
            put_scaled(block.scale, block.quants, out);
        } else {
            float values[BLOCK];
            decode_block(type, from, values);
            put_rounded(values, plain_scale(values), out);
        }
        break;
    }
    case SWL_Q3_K: {
        uint8_t quants[SUPER];
        int8_t scales[16];
        read_q3_scales(from + 96, scales);
        for (size_t i = 0; i < SUPER; i++) quants[i] = (uint8_t)(q3_quant(from, i) + 32);
        put_q6_block(quants, scales, load_half(from + 108), out);
        break;
    }
    case SWL_IQ4_XS:
        for (size_t group = 0; group < SUPER / BLOCK; group++) {
            int8_t quants[BLOCK];
            for (size_t j = 0; j < BLOCK; j++) quants[j] = nonlinear[nibble(from + 8 + group * 16, j)];
            out = put_scaled(half_to_float(load_half(from)) * (float)iq4_scale(from, group), quants, out);
        }
        break;
    case SWL_Q2_K: {
        float values[SUPER], scale = half_to_float(load_half(from + 80));
        decode_block(type, from, values);
        for (size_t i = 0; i < SUPER; i += BLOCK) {
            // Each half has steps of its own.
            float best = plain_scale(values + i);
            for (size_t half = 0; half < 2; half++) best = scale_for_steps(scale * (float)(from[i / 16 + half] & 15), values + i, best);
            out = put_rounded(values + i, best, out);
        }
        break;
    }
    case SWL_Q4_1:
    case SWL_Q5_1: {
        float values[BLOCK], step = half_to_float(load_half(from));
        decode_block(type, from, values);
        put_rounded(values, scale_for_steps(step, values, plain_scale(values)), out);
    }
    }
}

void swl_convert_row(swl_foreign_type type, const void *row, size_t columns, void *out) {
    const uint8_t *from = row;
    uint8_t *to = out;
    size_t length = block_length(type), bytes = block_bytes(type), native = row_bytes(swl_native_type(type), length);
    for (size_t i = 0; i < columns; i += length, from += bytes, to += native) convert_block(type, from, to);
}
