// Products of weights and activations, and rows of weights as floats.

INLINE floats load_halves(const uint8_t *from) {
    halves value;
    memcpy(&value, from, sizeof value);
    return __builtin_convertvector(value, floats);
}

/// 16 signed bytes as floats.
INLINE floats load_bytes(const uint8_t *from) {
    bytes value;
    memcpy(&value, from, sizeof value);
    return __builtin_convertvector(value, floats);
}

INLINE floats widen_bf16(lane_halves value) { return __builtin_bit_cast(floats, __builtin_convertvector(value, ints) << 16); }

/// 16 elements of an SWL_F32, SWL_F16 or SWL_BF16 row.
INLINE floats load16(swl_type type, const uint8_t *row, size_t column) {
    if (type == SWL_F32) return load(row + column * 4);
    if (type == SWL_F16) return load_halves(row + column * 2);
    lane_halves value;
    memcpy(&value, row + column * 2, sizeof value);
    return widen_bf16(value);
}

INLINE floats load16_part(swl_type type, const uint8_t *row, size_t column, size_t count) {
    if (type == SWL_F32) return load_part(row + column * 4, count);
    lane_halves value = 0;
    memcpy(&value, row + column * 2, count * 2);
    return type == SWL_F16 ? __builtin_convertvector(__builtin_bit_cast(halves, value), floats) : widen_bf16(value);
}

/// The f16 that a block of a quantized row begins with, in all lanes.
INLINE floats block_scale(const uint8_t *block) {
    uint16_t bits;
    memcpy(&bits, block, sizeof bits);
    lane_halves all = bits;
    // Opaque, so that the compiler does not convert a single lane: loading one would wait for the register's last use, a sum.
    __asm__("" : "+v"(all));
    return __builtin_convertvector(__builtin_bit_cast(halves, all), floats);
}

/// Elements 32 * block and the 31 after it.
INLINE void load_block(swl_type type, const uint8_t *row, size_t block, floats *low, floats *high) {
    if (type == SWL_F32 || type == SWL_F16 || type == SWL_BF16) {
        *low = load16(type, row, block * BLOCK);
        *high = load16(type, row, block * BLOCK + LANES);
        return;
    }
    row += block * (type == SWL_Q8_0 ? Q8_0_BYTES : Q4_0_BYTES);
    floats scale = block_scale(row);
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
    if (type == SWL_Q8_0) {
        for (size_t block = 0; block < count / BLOCK; block++) store_block(values + block * BLOCK, (uint8_t *)out + block * Q8_0_BYTES);
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
