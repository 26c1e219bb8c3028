// The kernels on vectors of 16 floats, for one instruction set. A build includes this file once, after it defined
//   SWL_SUMS       how many sums of 16 floats its registers hold beside the operands: 4 or more
// inside of `#pragma clang attribute push` with instruction sets that have FMA and F16C.
//
// Each sum is one vector that takes its products column by column and is folded at the end in a fixed order. The tile that
// a row and a token happen to be in changes nothing, so neither does the batch.

#include "vectors.h"

INLINE floats load(const float *from) {
    floats value;
    memcpy(&value, from, sizeof value);
    return value;
}

/// The last `count` < 16 elements of a row; the lanes past them are zero.
INLINE floats load_part(const float *from, size_t count) {
    floats value = 0;
    memcpy(&value, from, count * sizeof *from);
    return value;
}

INLINE void put(float *to, floats value) { memcpy(to, &value, sizeof value); }
INLINE void put_part(float *to, floats value, size_t count) { memcpy(to, &value, count * sizeof *to); }
INLINE floats fma16(floats a, floats b, floats c) { return __builtin_elementwise_fma(a, b, c); }

INLINE float sum16(floats v) {
    v.lo += v.hi;
    v.lo.lo += v.lo.hi;
    v.lo.lo.lo += v.lo.lo.hi;
    return v.s0 + v.s1;
}

INLINE float max16(floats v) {
    float largest = v.s0;
    for (int i = 1; i < LANES; i++) largest = fmaxf(largest, v[i]);
    return largest;
}

/// e^x by the method of Cephes' expf: e^x = 2^n · e^r with |r| <= ln 2 / 2, e^r by a polynomial. Relative error below 2e-7;
/// from x = -87.3 downwards, about 1e-38.
INLINE floats exp16(floats x) {
    x = __builtin_elementwise_min(__builtin_elementwise_max(x, (floats)-87.3f), (floats)88.3f);
    floats n = __builtin_elementwise_rint(x * 1.44269504f);
    floats r = fma16(n, (floats)-0.693359375f, x);
    r = fma16(n, (floats)2.12194440e-4f, r);
    floats p = 1.9875691500e-4f;
    p = fma16(p, r, (floats)1.3981999507e-3f);
    p = fma16(p, r, (floats)8.3334519073e-3f);
    p = fma16(p, r, (floats)4.1665795894e-2f);
    p = fma16(p, r, (floats)1.6666665459e-1f);
    p = fma16(p, r, (floats)5.0000001201e-1f);
    p = fma16(p, r * r, r) + 1.0f;
    ints power = (__builtin_convertvector(n, ints) + 127) << 23;
    return p * __builtin_bit_cast(floats, power);
}

/// erf(x) by Abramowitz and Stegun 7.1.26; absolute error below 1.5e-7 and rounding.
INLINE floats erf16(floats x) {
    floats magnitude = __builtin_elementwise_abs(x);
    floats t = 1.0f / fma16(magnitude, (floats)0.3275911f, (floats)1.0f);
    floats p = 1.061405429f;
    p = fma16(p, t, (floats)-1.453152027f);
    p = fma16(p, t, (floats)1.421413741f);
    p = fma16(p, t, (floats)-0.284496736f);
    p = fma16(p, t, (floats)0.254829592f);
    floats value = 1.0f - p * t * exp16(-magnitude * magnitude);
    return __builtin_elementwise_copysign(value, x);
}

INLINE floats load_halves(const uint8_t *from) {
    halves value;
    memcpy(&value, from, sizeof value);
    return __builtin_convertvector(value, floats);
}

INLINE floats widen_bf16(lane_halves value) { return __builtin_bit_cast(floats, __builtin_convertvector(value, ints) << 16); }

/// 16 elements of an SWL_F32, SWL_F16 or SWL_BF16 row.
INLINE floats load16(swl_type type, const uint8_t *row, size_t column) {
    if (type == SWL_F32) return load((const float *)row + column);
    if (type == SWL_F16) return load_halves(row + column * 2);
    lane_halves value;
    memcpy(&value, row + column * 2, sizeof value);
    return widen_bf16(value);
}

INLINE floats load16_part(swl_type type, const uint8_t *row, size_t column, size_t count) {
    if (type == SWL_F32) return load_part((const float *)row + column, count);
    lane_halves value = 0;
    memcpy(&value, row + column * 2, count * 2);
    return type == SWL_F16 ? __builtin_convertvector(__builtin_bit_cast(halves, value), floats) : widen_bf16(value);
}

/// Elements 32 * block and the 31 after it.
INLINE void load_block(swl_type type, const uint8_t *row, size_t block, floats *low, floats *high) {
    if (type == SWL_F32 || type == SWL_F16 || type == SWL_BF16) {
        *low = load16(type, row, block * BLOCK);
        *high = load16(type, row, block * BLOCK + LANES);
        return;
    }
    row += block * (type == SWL_Q8_0 ? Q8_0_BYTES : Q4_0_BYTES);
    _Float16 half;
    memcpy(&half, row, 2);
    floats scale = (float)half;
    bytes first, second;
    memcpy(&first, row + 2, sizeof first);
    if (type == SWL_Q8_0) {
        memcpy(&second, row + 2 + LANES, sizeof second);
    } else {
        second = (first >> 4 & 15) - 8;
        first = (first & 15) - 8;
    }
    *low = __builtin_convertvector(first, floats) * scale;
    *high = __builtin_convertvector(second, floats) * scale;
}

/// rows × tokens dot products; both are constants wherever this is used, so that the sums stay in registers.
INLINE void tile(swl_type type, size_t rows, size_t tokens, const uint8_t *weights, size_t weight_stride, size_t columns,
                 const float *x, size_t x_stride, float *out, size_t out_stride) {
    floats sums[SWL_SUMS];
    UNROLL for (size_t i = 0; i < rows * tokens; i++) sums[i] = 0;
    for (size_t block = 0; block < columns / BLOCK; block++) {
        UNROLL for (size_t r = 0; r < rows; r++) {
            floats low, high;
            load_block(type, weights + r * weight_stride, block, &low, &high);
            UNROLL for (size_t t = 0; t < tokens; t++) {
                const float *at = x + t * x_stride + block * BLOCK;
                sums[r * tokens + t] = fma16(low, load(at), sums[r * tokens + t]);
                sums[r * tokens + t] = fma16(high, load(at + LANES), sums[r * tokens + t]);
            }
        }
    }
    // Only unquantized rows can end in a part of a block.
    for (size_t column = columns / BLOCK * BLOCK; column < columns; column += LANES) {
        size_t count = columns - column < LANES ? columns - column : LANES;
        UNROLL for (size_t r = 0; r < rows; r++) {
            floats weight = load16_part(type, weights + r * weight_stride, column, count);
            UNROLL for (size_t t = 0; t < tokens; t++)
                sums[r * tokens + t] = fma16(weight, load_part(x + t * x_stride + column, count), sums[r * tokens + t]);
        }
    }
    UNROLL for (size_t r = 0; r < rows; r++)
        UNROLL for (size_t t = 0; t < tokens; t++) out[t * out_stride + r] = sum16(sums[r * tokens + t]);
}

/// All rows for `tokens` tokens, whose activations stay near while the rows pass by.
INLINE void products_of(size_t tokens, swl_type type, const uint8_t *weights, size_t weight_stride, size_t rows, size_t columns,
                        const float *x, size_t x_stride, float *out, size_t out_stride) {
    const size_t at_once = SWL_SUMS / tokens < 4 ? SWL_SUMS / tokens : 4;
    size_t row = 0;
    for (; row + at_once <= rows; row += at_once)
        tile(type, at_once, tokens, weights + row * weight_stride, weight_stride, columns, x, x_stride, out + row, out_stride);
    for (; row < rows; row++)
        tile(type, 1, tokens, weights + row * weight_stride, weight_stride, columns, x, x_stride, out + row, out_stride);
}

/// out[t * out_stride + r] = weights[r] · x[t]; strides of weights in bytes, of x and out in floats.
INLINE void products(swl_type type, const uint8_t *weights, size_t weight_stride, size_t rows, size_t columns, const float *x,
                     size_t x_stride, size_t count, float *out, size_t out_stride) {
    while (count) {
        size_t done;
        if (count >= 4)
            products_of(done = 4, type, weights, weight_stride, rows, columns, x, x_stride, out, out_stride);
        else if (count >= 2)
            products_of(done = 2, type, weights, weight_stride, rows, columns, x, x_stride, out, out_stride);
        else
            products_of(done = 1, type, weights, weight_stride, rows, columns, x, x_stride, out, out_stride);
        x += done * x_stride;
        out += done * out_stride;
        count -= done;
    }
}

static void matmul(swl_type type, const void *weights, size_t columns, size_t first_row, size_t end_row, const float *activations,
                   size_t count, float *out, size_t out_stride) {
    size_t stride = row_bytes(type, columns), rows = end_row - first_row;
    const uint8_t *first = (const uint8_t *)weights + first_row * stride;
    out += first_row;
    switch (type) {
    case SWL_F32: products(SWL_F32, first, stride, rows, columns, activations, columns, count, out, out_stride); break;
    case SWL_F16: products(SWL_F16, first, stride, rows, columns, activations, columns, count, out, out_stride); break;
    case SWL_Q4_0: products(SWL_Q4_0, first, stride, rows, columns, activations, columns, count, out, out_stride); break;
    case SWL_Q8_0: products(SWL_Q8_0, first, stride, rows, columns, activations, columns, count, out, out_stride); break;
    case SWL_BF16: products(SWL_BF16, first, stride, rows, columns, activations, columns, count, out, out_stride); break;
    case SWL_Q4_K:
    case SWL_Q5_K:
    case SWL_Q6_K: break;
    }
}

static void dequantize(swl_type type, const void *row, size_t columns, float *out) {
    if (in_supers(type)) return swl_dequantize_supers(type, row, columns, out);
    size_t column = 0;
    for (; column + BLOCK <= columns; column += BLOCK) {
        floats low, high;
        load_block(type, row, column / BLOCK, &low, &high);
        put(out + column, low);
        put(out + column + LANES, high);
    }
    for (; column < columns; column += LANES) {
        size_t count = columns - column < LANES ? columns - column : LANES;
        put_part(out + column, load16_part(type, row, column, count), count);
    }
}

static void store(swl_type type, const float *values, size_t count, void *out) {
    if (type == SWL_F32) {
        memcpy(out, values, count * sizeof *values);
        return;
    }
    _Float16 *to = out;
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        halves value = __builtin_convertvector(load(values + i), halves);
        memcpy(to + i, &value, sizeof value);
    }
    for (; i < count; i++) to[i] = (_Float16)values[i];
}

static float softmax(float *x, size_t count) {
    floats largest16 = -INFINITY;
    size_t i = 0, whole = count / LANES * LANES, part = count - whole;
    for (; i < whole; i += LANES) largest16 = __builtin_elementwise_max(largest16, load(x + i));
    float largest = max16(largest16);
    for (; i < count; i++) largest = fmaxf(largest, x[i]);
    floats sums = 0;
    for (i = 0; i < whole; i += LANES) {
        floats value = exp16(load(x + i) - largest);
        put(x + i, value);
        sums += value;
    }
    if (part) {
        put_part(x + whole, exp16(load_part(x + whole, part) - largest), part);
        sums += load_part(x + whole, part);
    }
    float sum = sum16(sums), scale = 1 / sum;
    for (i = 0; i < count; i++) x[i] *= scale;
    return largest + logf(sum);
}

/// `width` vectors of the weighted sum of values for `count` queries; both are constants wherever this is used.
INLINE void weighted_sum(swl_type type, size_t count, size_t width, const uint8_t *values, size_t stride, size_t length,
                         size_t column, const float *scores, float *out, size_t out_stride) {
    floats sums[8];
    UNROLL for (size_t i = 0; i < count * width; i++) sums[i] = 0;
    for (size_t p = 0; p < length; p++, values += stride) {
        UNROLL for (size_t w = 0; w < width; w++) {
            floats value = load16(type, values, column + w * LANES);
            UNROLL for (size_t q = 0; q < count; q++)
                sums[q * width + w] = fma16((floats)scores[q * length + p], value, sums[q * width + w]);
        }
    }
    UNROLL for (size_t q = 0; q < count; q++)
        UNROLL for (size_t w = 0; w < width; w++) put(out + q * out_stride + column + w * LANES, sums[q * width + w]);
}

INLINE void weighted_sums(swl_type type, size_t count, const uint8_t *values, size_t stride, size_t length, size_t dimension,
                          const float *scores, float *out, size_t out_stride) {
    size_t column = 0;
    for (; column + 2 * LANES <= dimension; column += 2 * LANES)
        weighted_sum(type, count, 2, values, stride, length, column, scores, out, out_stride);
    for (; column + LANES <= dimension; column += LANES)
        weighted_sum(type, count, 1, values, stride, length, column, scores, out, out_stride);
    if (column == dimension) return;
    for (size_t q = 0; q < count; q++) {
        floats sum = 0;
        for (size_t p = 0; p < length; p++)
            sum = fma16((floats)scores[q * length + p], load16_part(type, values + p * stride, column, dimension - column), sum);
        put_part(out + q * out_stride + column, sum, dimension - column);
    }
}

INLINE void attend(swl_type type, const float *queries, size_t query_stride, size_t count, const uint8_t *keys,
                   const uint8_t *values, size_t stride, size_t length, size_t dimension, float scale, float *scores, float *out) {
    products(type, keys, stride, length, dimension, queries, query_stride, count, scores, length);
    for (size_t i = 0; i < count * length; i++) scores[i] *= scale;
    for (size_t q = 0; q < count; q++) softmax(scores + q * length, length);
    size_t q = 0;
    for (; q + 4 <= count; q += 4)
        weighted_sums(type, 4, values, stride, length, dimension, scores + q * length, out + q * query_stride, query_stride);
    for (; q < count; q++)
        weighted_sums(type, 1, values, stride, length, dimension, scores + q * length, out + q * query_stride, query_stride);
}

static void attention(swl_type type, const float *queries, size_t query_stride, size_t count, const void *keys, const void *values,
                      size_t stride, size_t length, size_t dimension, float scale, float *scores, float *out) {
    if (type == SWL_F32)
        attend(SWL_F32, queries, query_stride, count, keys, values, stride, length, dimension, scale, scores, out);
    else
        attend(SWL_F16, queries, query_stride, count, keys, values, stride, length, dimension, scale, scores, out);
}

/// Σ (x - mean)²
INLINE float square_sum(const float *x, size_t count, float mean) {
    floats sums = 0;
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        floats difference = load(x + i) - mean;
        sums = fma16(difference, difference, sums);
    }
    float sum = sum16(sums);
    for (; i < count; i++) sum += (x[i] - mean) * (x[i] - mean);
    return sum;
}

static void rms_norm(const float *x, const float *weight, size_t width, float epsilon, float *out) {
    float scale = 1 / sqrtf(square_sum(x, width, 0) / (float)width + epsilon);
    for (size_t i = 0; i < width; i++) out[i] = x[i] * scale * weight[i];
}

static void layer_norm(const float *x, const float *weight, const float *bias, size_t width, float epsilon, float *out) {
    floats sums = 0;
    size_t i = 0;
    for (; i + LANES <= width; i += LANES) sums += load(x + i);
    float sum = sum16(sums);
    for (; i < width; i++) sum += x[i];
    float mean = sum / (float)width, scale = 1 / sqrtf(square_sum(x, width, mean) / (float)width + epsilon);
    for (i = 0; i < width; i++) out[i] = (x[i] - mean) * scale * weight[i] + bias[i];
}

INLINE floats silu16(floats x) { return x / (1.0f + exp16(-x)); }
INLINE floats gelu16(floats x) { return 0.5f * x * (1.0f + erf16(x * (float)M_SQRT1_2)); }

static void silu_multiply(float *gate, const float *up, size_t count) {
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) put(gate + i, silu16(load(gate + i)) * load(up + i));
    if (i < count) put_part(gate + i, silu16(load_part(gate + i, count - i)) * load_part(up + i, count - i), count - i);
}

static void gelu(float *x, size_t count) {
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) put(x + i, gelu16(load(x + i)));
    if (i < count) put_part(x + i, gelu16(load_part(x + i, count - i)), count - i);
}
