// The reference: plain loops, sums in double precision. Runs everywhere; the other builds are tested against it.

#include "layout.h"
#include "builds.h"

static uint16_t float_to_half(float value) {
    uint32_t bits = bits_of_float(value);
    uint16_t sign = bits >> 16 & 0x8000;
    bits &= 0x7fffffff;
    if (bits > 0x7f800000) return sign | 0x7e00;
    if (bits >= 0x477ff000) return sign | 0x7c00;  // 65520 and more round to infinity
    if (bits < 0x38800000) return sign | (uint16_t)lrintf(ldexpf(fabsf(value), 24));  // subnormal: a multiple of 2^-24
    bits += 0xfff + (bits >> 13 & 1);
    return sign | (uint16_t)((bits >> 13) - (112 << 10));
}

static float element(swl_type type, const uint8_t *row, size_t column) {
    const uint8_t *block;
    float value;
    switch (type) {
    case SWL_F32:
        memcpy(&value, row + column * 4, 4);
        return value;
    case SWL_F16:
        return half_to_float(load_half(row + column * 2));
    case SWL_BF16:
        return float_of_bits((uint32_t)load_half(row + column * 2) << 16);
    case SWL_Q8_0:
        block = row + column / BLOCK * Q8_0_BYTES;
        return half_to_float(load_half(block)) * (float)(int8_t)block[2 + column % BLOCK];
    case SWL_Q4_0:
        block = row + column / BLOCK * Q4_0_BYTES;
        uint8_t pair = block[2 + column % 16];
        return half_to_float(load_half(block)) * (float)((column % BLOCK < 16 ? pair & 15 : pair >> 4) - 8);
    case SWL_Q4_K:
    case SWL_Q5_K:
    case SWL_Q6_K: return NAN;  // never asked for: these are packed, or read whole
    }
    return 0;
}

static void dequantize(swl_type type, const void *row, size_t columns, float *out) {
    if (in_supers(type)) return swl_dequantize_supers(type, row, columns, out);
    for (size_t i = 0; i < columns; i++) out[i] = element(type, row, i);
}

static void store(swl_type type, const float *values, size_t count, void *out) {
    if (type == SWL_F32) {
        memcpy(out, values, count * sizeof *values);
        return;
    }
    if (type == SWL_Q8_0) {
        uint8_t *block = out;
        for (size_t i = 0; i < count; i += BLOCK, block += Q8_0_BYTES) {
            uint16_t scale = float_to_half(swl_quantize_row(values + i, BLOCK, (int8_t *)block + 2));
            memcpy(block, &scale, 2);
        }
        return;
    }
    for (size_t i = 0; i < count; i++) ((uint16_t *)out)[i] = float_to_half(values[i]);
}

static float dot(swl_type type, const void *row, const float *x, size_t columns) {
    double sum = 0;
    for (size_t i = 0; i < columns; i++) sum += (double)element(type, row, i) * x[i];
    return (float)sum;
}

static void matmul(swl_type type, const void *weights, size_t columns, size_t first_row, size_t end_row, const float *activations,
                   size_t count, float *out, size_t out_stride) {
    for (size_t row = first_row; row < end_row; row++) {
        const uint8_t *weight = (const uint8_t *)weights + row * row_bytes(type, columns);
        for (size_t t = 0; t < count; t++) out[t * out_stride + row] = dot(type, weight, activations + t * columns, columns);
    }
}

static float softmax(float *x, size_t count) {
    float largest = -INFINITY;
    for (size_t i = 0; i < count; i++) largest = fmaxf(largest, x[i]);
    double sum = 0;
    for (size_t i = 0; i < count; i++) sum += x[i] = expf(x[i] - largest);
    for (size_t i = 0; i < count; i++) x[i] = (float)(x[i] / sum);
    return largest + (float)log(sum);
}

static void store_key(swl_type type, const float *key, size_t dimension, size_t position, void *keys) {
    uint8_t *block = (uint8_t *)keys + position / SWL_BLOCK * row_bytes(type, dimension) * SWL_BLOCK;
    size_t lane = position % SWL_BLOCK;
    if (type == SWL_Q8_0) {
        for (size_t span = 0; span < dimension / BLOCK; span++) {
            uint8_t row[Q8_0_BYTES], *to = block + key_span(span);
            store(SWL_Q8_0, key + span * BLOCK, BLOCK, row);
            memcpy(to + lane * 2, row, 2);
            for (size_t i = 0; i < BLOCK; i++) to[(2 + i) * SWL_BLOCK + lane] = row[2 + i];
        }
        return;
    }
    for (size_t i = 0; i < dimension; i++) store(type, key + i, 1, block + (i * SWL_BLOCK + lane) * row_bytes(type, 1));
}

static void store_keys(const float *from, size_t stride, size_t dimension, size_t count, float *keys) {
    for (size_t position = 0; position < count; position++) store_key(SWL_F32, from + position * stride, dimension, position, keys);
}

/// Element i of the key in a lane of a block.
static float key_element(swl_type type, const uint8_t *block, size_t i, size_t lane) {
    if (type != SWL_Q8_0) return element(type, block, i * SWL_BLOCK + lane);
    block += key_span(i / BLOCK);
    return half_to_float(load_half(block + lane * 2)) * (float)(int8_t)block[(2 + i % BLOCK) * SWL_BLOCK + lane];
}

static void softcap(float *x, size_t count, float cap) {
    for (size_t i = 0; i < count; i++) x[i] = cap * tanhf(x[i] / cap);
}

/// Where the block with the position is.
static size_t place(const swl_attention *a, size_t position) {
    return a->blocks ? a->blocks[position / SWL_BLOCK] : position / SWL_BLOCK;
}

static void attention(const swl_attention *a) {
    for (size_t q = 0; q < a->tokens * a->heads; q++) {
        size_t token = q / a->heads, offset = token * a->token_stride + q % a->heads * a->dimension, length = a->length + token * a->step;
        size_t start = a->window && length > a->window ? length - a->window : 0;
        for (size_t p = start; p < length; p++) {
            const uint8_t *keys = (const uint8_t *)a->keys + place(a, p) * a->key_block_stride;
            double sum = 0;
            for (size_t i = 0; i < a->dimension; i++)
                sum += (double)a->queries[offset + i] * key_element(a->type, keys, i, p % SWL_BLOCK);
            a->scratch[p] = (float)(sum * a->scale);
        }
        if (a->softcap > 0) softcap(a->scratch + start, length - start, a->softcap);
        softmax(a->scratch + start, length - start);
        for (size_t i = 0; i < a->dimension; i++) {
            double sum = 0;
            for (size_t p = start; p < length; p++) {
                const uint8_t *values = (const uint8_t *)a->values + place(a, p) * a->value_block_stride;
                sum += (double)a->scratch[p] * element(a->type, values + p % SWL_BLOCK * a->value_stride, i);
            }
            a->out[offset + i] = (float)sum;
        }
    }
}

static void rms_norm(const float *x, const float *weight, size_t width, float epsilon, float *out) {
    double squares = 0;
    for (size_t i = 0; i < width; i++) squares += (double)x[i] * x[i];
    float scale = (float)(1 / sqrt(squares / (double)width + epsilon));
    for (size_t i = 0; i < width; i++) out[i] = x[i] * scale * weight[i];
}

static void layer_norm(const float *x, const float *weight, const float *bias, size_t width, float epsilon, float *out) {
    double sum = 0, squares = 0;
    for (size_t i = 0; i < width; i++) sum += x[i];
    double mean = sum / (double)width;
    for (size_t i = 0; i < width; i++) squares += (x[i] - mean) * (x[i] - mean);
    double scale = 1 / sqrt(squares / (double)width + epsilon);
    for (size_t i = 0; i < width; i++) out[i] = (float)((x[i] - mean) * scale) * weight[i] + bias[i];
}

static void silu_multiply(float *gate, const float *up, size_t count) {
    for (size_t i = 0; i < count; i++) gate[i] = gate[i] / (1 + expf(-gate[i])) * up[i];
}

static void gelu_multiply(float *gate, const float *up, size_t count) {
    for (size_t i = 0; i < count; i++) {
        float x = gate[i];
        gate[i] = 0.5f * x * (1 + tanhf(GELU_SLOPE * (x + GELU_CUBE * x * x * x))) * up[i];
    }
}

static void gelu(float *x, size_t count) {
    for (size_t i = 0; i < count; i++) x[i] = 0.5f * x[i] * (1 + erff(x[i] * (float)M_SQRT1_2));
}

static void add(float *x, const float *y, size_t count) {
    for (size_t i = 0; i < count; i++) x[i] += y[i];
}

const swl_kernels swl_portable_kernels = {
    .name = "portable",
    .dequantize = dequantize,
    .store = store,
    .matmul = matmul,
    .quantize = swl_portable_quantize,
    .packed_matmul = swl_portable_packed_matmul,
    .store_key = store_key,
    .store_keys = store_keys,
    .attention = attention,
    .add = add,
    .rms_norm = rms_norm,
    .layer_norm = layer_norm,
    .silu_multiply = silu_multiply,
    .gelu_multiply = gelu_multiply,
    .gelu = gelu,
    .softcap = softcap,
    .softmax = softmax,
};
