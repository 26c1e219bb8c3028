// Softmax and attention.

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
