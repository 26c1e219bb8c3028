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

/// Queries that pass over the keys and values together.
enum { QUERIES = SWL_SUMS < SWL_QUERIES ? 4 : SWL_QUERIES };

INLINE size_t place(const swl_attention *a, size_t block) { return a->blocks ? a->blocks[block] : block; }

/// Element i of 16 positions' keys.
INLINE floats load_keys(swl_type type, const uint8_t *keys, size_t i) {
    if (type != SWL_Q8_0) return load16(type, keys, i * LANES);
    keys += key_span(i / BLOCK);
    return load_bytes(keys + (2 + i % BLOCK) * LANES) * load_halves(keys);
}

/// 16 elements of a value, from `column`.
INLINE floats load_values(swl_type type, const uint8_t *value, size_t column) {
    if (type != SWL_Q8_0) return load16(type, value, column);
    value += column / BLOCK * Q8_0_BYTES;
    return load_bytes(value + 2 + column % BLOCK) * block_scale(value);
}

/// scores[q * stride + position] for `panels` blocks of 16 positions, from `block`; the queries are scaled. Both counts are
/// constants wherever this is used.
INLINE void score_panels(swl_type type, size_t count, size_t panels, const float *queries, const swl_attention *a, size_t block,
                         float *scores, size_t stride) {
    const uint8_t *keys[4];
    UNROLL for (size_t p = 0; p < panels; p++) keys[p] = (const uint8_t *)a->keys + place(a, block + p) * a->key_block_stride;
    floats sums[SWL_SUMS];
    UNROLL for (size_t i = 0; i < count * panels; i++) sums[i] = 0;
    for (size_t i = 0; i < a->dimension; i++) {
        UNROLL for (size_t p = 0; p < panels; p++) {
            floats key = load_keys(type, keys[p], i);
            UNROLL for (size_t q = 0; q < count; q++) sums[q * panels + p] = fma16((floats)queries[q * a->dimension + i], key, sums[q * panels + p]);
        }
    }
    UNROLL for (size_t i = 0; i < count * panels; i++) put(scores + i / panels * stride + i % panels * LANES, sums[i]);
}

/// Of the blocks from `block` on.
INLINE void score(swl_type type, size_t count, const float *queries, const swl_attention *a, size_t block, float *scores, size_t stride) {
    const size_t at_once = SWL_SUMS / count < 4 ? SWL_SUMS / count : 4, blocks = stride / SWL_BLOCK;
    for (; block + at_once <= blocks; block += at_once) score_panels(type, count, at_once, queries, a, block, scores + block * SWL_BLOCK, stride);
    for (; block < blocks; block++) score_panels(type, count, 1, queries, a, block, scores + block * SWL_BLOCK, stride);
}

INLINE const uint8_t *block_values(const swl_attention *a, size_t block) {
    return (const uint8_t *)a->values + place(a, block) * a->value_block_stride;
}

/// `width` vectors, from `column`, of the sum of values weighted by scores, times a query's share, for `count` queries, both
/// constants, of which `used` are there.
INLINE void weighted_sum(swl_type type, size_t count, size_t width, const swl_attention *a, size_t start, size_t length, size_t column,
                         const float *scores, size_t stride, const float *shares, float *const *out, size_t used) {
    floats sums[SWL_SUMS];
    UNROLL for (size_t i = 0; i < count * width; i++) sums[i] = 0;
    for (size_t p = start; p < length;) {
        const uint8_t *values = block_values(a, p / SWL_BLOCK);
        for (size_t end = p + SWL_BLOCK < length ? p + SWL_BLOCK : length; p < end; p++, values += a->value_stride) {
            UNROLL for (size_t w = 0; w < width; w++) {
                floats value = load_values(type, values, column + w * LANES);
                UNROLL for (size_t q = 0; q < count; q++)
                    sums[q * width + w] = fma16((floats)scores[q * stride + p], value, sums[q * width + w]);
            }
        }
    }
    UNROLL for (size_t q = 0; q < count; q++)
        UNROLL for (size_t w = 0; w < width; w++) if (q < used) put(out[q] + column + w * LANES, sums[q * width + w] * shares[q]);
}

/// Of the positions from `start`, where a block begins.
INLINE void weighted_sums(swl_type type, size_t count, const swl_attention *a, size_t start, size_t length, const float *scores, size_t stride,
                          const float *shares, float *const *out, size_t used) {
    const size_t width = SWL_SUMS / count < 4 ? SWL_SUMS / count : 4;
    size_t column = 0;
    for (; column + width * LANES <= a->dimension; column += width * LANES)
        weighted_sum(type, count, width, a, start, length, column, scores, stride, shares, out, used);
    for (; column + LANES <= a->dimension; column += LANES)
        weighted_sum(type, count, 1, a, start, length, column, scores, stride, shares, out, used);
    if (column == a->dimension) return;
    for (size_t q = 0; q < used; q++) {
        floats sum = 0;
        for (size_t p = start; p < length; p++) {
            const uint8_t *value = block_values(a, p / SWL_BLOCK) + p % SWL_BLOCK * a->value_stride;
            sum = fma16((floats)scores[q * stride + p], load16_part(type, value, column, a->dimension - column), sum);
        }
        put_part(out[q] + column, sum * shares[q], a->dimension - column);
    }
}

/// Of positions first ..< end, whole vectors: scores become e^(score - the largest) where start <= position < length, and zero
/// elsewhere. Returns their sum.
INLINE float exponentials(float *scores, size_t first, size_t end, size_t start, size_t length, float cap) {
    const ints lanes = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    floats largest16 = -INFINITY, sums = 0;
    for (size_t p = first; p < end; p += LANES) {
        ints position = lanes + (int32_t)p;
        floats value = load(scores + p);
        if (cap > 0) value = tanh16(value / cap) * cap;
        value = (position >= (int32_t)start & position < (int32_t)length) ? value : -INFINITY;
        put(scores + p, value);
        largest16 = __builtin_elementwise_max(largest16, value);
    }
    float largest = max16(largest16);
    for (size_t p = first; p < end; p += LANES) {
        floats score = load(scores + p), value = score == -INFINITY ? (floats)0 : exp16(score - largest);
        put(scores + p, value);
        sums += value;
    }
    return sum16(sums);
}

/// Queries `first` and those after it: up to `count`, a constant, of which `used` are there.
INLINE void attend(swl_type type, size_t count, const swl_attention *a, size_t first, size_t used) {
    size_t lengths[QUERIES], starts[QUERIES], dimension = a->dimension;
    float *queries = a->scratch, *scores = a->scratch + QUERIES * dimension, *out[QUERIES], shares[QUERIES];
    for (size_t q = 0; q < used; q++) {
        size_t token = (first + q) / a->heads, offset = token * a->token_stride + (first + q) % a->heads * dimension;
        const float *query = a->queries + offset;
        for (size_t i = 0; i < dimension; i++) queries[q * dimension + i] = query[i] * a->scale;
        out[q] = a->out + offset;
        lengths[q] = a->length + token * a->step;
        starts[q] = a->window && lengths[q] > a->window ? lengths[q] - a->window : 0;
    }
    memset(queries + used * dimension, 0, (count - used) * dimension * sizeof *queries);
    size_t longest = lengths[used - 1], stride = (longest + LANES - 1) / LANES * LANES, earliest = starts[0] / SWL_BLOCK * SWL_BLOCK;
    score(type, count, queries, a, earliest / SWL_BLOCK, scores, stride);
    // What a query does not see, others may.
    for (size_t q = 0; q < used; q++) shares[q] = 1 / exponentials(scores + q * stride, earliest, stride, starts[q], lengths[q], a->softcap);
    weighted_sums(type, count, a, earliest, longest, scores, stride, shares, out, used);
}

INLINE void attend_all(swl_type type, const swl_attention *a) {
    size_t total = a->tokens * a->heads;
    for (size_t first = 0; first < total; first += QUERIES) {
        size_t used = total - first < QUERIES ? total - first : QUERIES;
        if (used > 4)
            attend(type, QUERIES, a, first, used);
        else if (used > 1)
            attend(type, 4, a, first, used);
        else
            attend(type, 1, a, first, used);
    }
}

static void attention(const swl_attention *a) {
    switch (a->type) {
    case SWL_F32: attend_all(SWL_F32, a); break;
    case SWL_Q8_0: attend_all(SWL_Q8_0, a); break;
    default: attend_all(SWL_F16, a); break;
    }
}

static void store_key(swl_type type, const float *key, size_t dimension, size_t position, void *keys) {
    uint8_t *block = (uint8_t *)keys + position / LANES * row_bytes(type, dimension) * LANES;
    size_t lane = position % LANES;
    if (type == SWL_Q8_0) {
        for (size_t span = 0; span < dimension / BLOCK; span++) {
            uint8_t row[Q8_0_BYTES], *to = block + key_span(span);
            store_block(key + span * BLOCK, row);
            memcpy(to + lane * 2, row, 2);
            for (size_t i = 0; i < BLOCK; i++) to[(2 + i) * LANES + lane] = row[2 + i];
        }
        return;
    }
    for (size_t i = 0; i < dimension; i++) {
        if (type == SWL_F32)
            ((float *)block)[i * LANES + lane] = key[i];
        else
            ((_Float16 *)block)[i * LANES + lane] = (_Float16)key[i];
    }
}

/// Rows become columns: 16 × 16 numbers, in four rounds of which each exchanges halves of pairs of rows.
INLINE void transpose16(const float *from, size_t stride, float *out) {
    floats rows[LANES], other[LANES];
    UNROLL for (size_t i = 0; i < LANES; i++) rows[i] = load(from + i * stride);
    UNROLL for (size_t i = 0; i < 8; i++) {
        other[i] = __builtin_shufflevector(rows[i], rows[i + 8], 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23);
        other[i + 8] = __builtin_shufflevector(rows[i], rows[i + 8], 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
    }
    UNROLL for (size_t j = 0; j < 8; j++) {
        size_t i = j / 4 * 8 + j % 4;
        rows[i] = __builtin_shufflevector(other[i], other[i + 4], 0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27);
        rows[i + 4] = __builtin_shufflevector(other[i], other[i + 4], 4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31);
    }
    UNROLL for (size_t j = 0; j < 8; j++) {
        size_t i = j / 2 * 4 + j % 2;
        other[i] = __builtin_shufflevector(rows[i], rows[i + 2], 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29);
        other[i + 2] = __builtin_shufflevector(rows[i], rows[i + 2], 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31);
    }
    UNROLL for (size_t i = 0; i < LANES; i += 2) {
        put(out + i * LANES, __builtin_shufflevector(other[i], other[i + 1], 0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30));
        put(out + (i + 1) * LANES, __builtin_shufflevector(other[i], other[i + 1], 1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11, 27, 13, 29, 15, 31));
    }
}

static void store_keys(const float *from, size_t stride, size_t dimension, size_t count, float *keys) {
    size_t position = 0;
    for (; position + SWL_BLOCK <= count && dimension % LANES == 0; position += SWL_BLOCK)
        for (size_t i = 0; i < dimension; i += LANES) transpose16(from + position * stride + i, stride, keys + position * dimension + i * SWL_BLOCK);
    for (; position < count; position++) store_key(SWL_F32, from + position * stride, dimension, position, keys);
}
