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

/// scores[q * stride + position] for `panels` blocks of 16 positions, from `block`; queries[i * QUERIES + q] are scaled. Both
/// counts are constants wherever this is used.
INLINE void score_panels(swl_type type, size_t count, size_t panels, const float *queries, const swl_attention *a, size_t block,
                         float *scores, size_t stride) {
    const uint8_t *keys[4];
    UNROLL for (size_t p = 0; p < panels; p++) keys[p] = (const uint8_t *)a->keys + place(a, block + p) * a->key_block_stride;
    floats sums[SWL_SUMS];
    UNROLL for (size_t i = 0; i < count * panels; i++) sums[i] = 0;
    for (size_t i = 0; i < a->dimension; i++) {
        UNROLL for (size_t p = 0; p < panels; p++) {
            floats key = load16(type, keys[p], i * LANES);
            UNROLL for (size_t q = 0; q < count; q++) sums[q * panels + p] = fma16((floats)queries[i * QUERIES + q], key, sums[q * panels + p]);
        }
    }
    UNROLL for (size_t i = 0; i < count * panels; i++) put(scores + i / panels * stride + i % panels * LANES, sums[i]);
}

INLINE void score(swl_type type, size_t count, const float *queries, const swl_attention *a, float *scores, size_t stride) {
    const size_t at_once = SWL_SUMS / count < 4 ? SWL_SUMS / count : 4, blocks = stride / SWL_BLOCK;
    size_t block = 0;
    for (; block + at_once <= blocks; block += at_once) score_panels(type, count, at_once, queries, a, block, scores + block * SWL_BLOCK, stride);
    for (; block < blocks; block++) score_panels(type, count, 1, queries, a, block, scores + block * SWL_BLOCK, stride);
}

INLINE const uint8_t *block_values(const swl_attention *a, size_t block) {
    return (const uint8_t *)a->values + place(a, block) * a->value_block_stride;
}

/// `width` vectors, from `column`, of the sum of values weighted by scores, for `count` queries, both constants, of which
/// `used` are there.
INLINE void weighted_sum(swl_type type, size_t count, size_t width, const swl_attention *a, size_t length, size_t column,
                         const float *scores, size_t stride, float *const *out, size_t used) {
    floats sums[SWL_SUMS];
    UNROLL for (size_t i = 0; i < count * width; i++) sums[i] = 0;
    for (size_t p = 0; p < length;) {
        const uint8_t *values = block_values(a, p / SWL_BLOCK);
        for (size_t end = p + SWL_BLOCK < length ? p + SWL_BLOCK : length; p < end; p++, values += a->value_stride) {
            UNROLL for (size_t w = 0; w < width; w++) {
                floats value = load16(type, values, column + w * LANES);
                UNROLL for (size_t q = 0; q < count; q++)
                    sums[q * width + w] = fma16((floats)scores[q * stride + p], value, sums[q * width + w]);
            }
        }
    }
    UNROLL for (size_t q = 0; q < count; q++)
        UNROLL for (size_t w = 0; w < width; w++) if (q < used) put(out[q] + column + w * LANES, sums[q * width + w]);
}

INLINE void weighted_sums(swl_type type, size_t count, const swl_attention *a, size_t length, const float *scores, size_t stride,
                          float *const *out, size_t used) {
    const size_t width = SWL_SUMS / count < 4 ? SWL_SUMS / count : 4;
    size_t column = 0;
    for (; column + width * LANES <= a->dimension; column += width * LANES)
        weighted_sum(type, count, width, a, length, column, scores, stride, out, used);
    for (; column + LANES <= a->dimension; column += LANES)
        weighted_sum(type, count, 1, a, length, column, scores, stride, out, used);
    if (column == a->dimension) return;
    for (size_t q = 0; q < used; q++) {
        floats sum = 0;
        for (size_t p = 0; p < length; p++) {
            const uint8_t *value = block_values(a, p / SWL_BLOCK) + p % SWL_BLOCK * a->value_stride;
            sum = fma16((floats)scores[q * stride + p], load16_part(type, value, column, a->dimension - column), sum);
        }
        put_part(out[q] + column, sum, a->dimension - column);
    }
}

/// Queries `first` and those after it: up to `count`, a constant, of which `used` are there.
INLINE void attend(swl_type type, size_t count, const swl_attention *a, size_t first, size_t used) {
    size_t lengths[QUERIES], longest = 0, dimension = a->dimension;
    float *queries = a->scratch, *scores = a->scratch + QUERIES * dimension, *out[QUERIES];
    memset(queries, 0, QUERIES * dimension * sizeof *queries);
    for (size_t q = 0; q < used; q++) {
        size_t token = (first + q) / a->heads, offset = token * a->token_stride + (first + q) % a->heads * dimension;
        for (size_t i = 0; i < dimension; i++) queries[i * QUERIES + q] = a->queries[offset + i] * a->scale;
        out[q] = a->out + offset;
        lengths[q] = a->length + token * a->step;
        longest = lengths[q];
    }
    size_t stride = (longest + LANES - 1) / LANES * LANES;
    score(type, count, queries, a, scores, stride);
    for (size_t q = 0; q < used; q++) {
        softmax(scores + q * stride, lengths[q]);
        // What a query does not see, those after it may.
        memset(scores + q * stride + lengths[q], 0, (stride - lengths[q]) * sizeof *scores);
    }
    weighted_sums(type, count, a, longest, scores, stride, out, used);
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

static void attention(const swl_attention *a) { a->type == SWL_F32 ? attend_all(SWL_F32, a) : attend_all(SWL_F16, a); }

static void store_key(swl_type type, const float *key, size_t dimension, size_t position, void *keys) {
    size_t first = position / LANES * LANES * dimension + position % LANES;
    for (size_t i = 0; i < dimension; i++) {
        if (type == SWL_F32)
            ((float *)keys)[first + i * LANES] = key[i];
        else
            ((_Float16 *)keys)[first + i * LANES] = (_Float16)key[i];
    }
}
