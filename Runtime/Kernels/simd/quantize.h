// Activations to tiles of signed bytes; layout.h says how tiles lie.

/// 16 numbers times `inverse`, to the nearest whole ones.
INLINE ints rounded(const float *x, float inverse) {
    return __builtin_convertvector(__builtin_elementwise_rint(load(x) * inverse), ints);
}

/// Quantizes 32 numbers that are multiplied by `inverse`, puts them where the tile has them, and returns their sums of 16.
INLINE void put_block(const float *x, float inverse, uint8_t *to, size_t width, int32_t sums[2]) {
    UNROLL for (size_t half = 0; half < 2; half++) {
        ints values = rounded(x + half * LANES, inverse);
        sums[half] = __builtin_reduce_add(values);
        bytes packed = __builtin_convertvector(values, bytes);
        four_words words = __builtin_bit_cast(four_words, packed);
        UNROLL for (size_t i = 0; i < 4; i++) memcpy(to + (half * 4 + i) * width * 4, (int32_t[]){words[i]}, 4);
    }
}

/// The largest magnitude of `count` numbers, a multiple of 16. What is not finite is larger than all else.
INLINE float largest_magnitude(const float *x, size_t count) {
    ints largest = 0;
    for (size_t i = 0; i < count; i += LANES)
        largest = __builtin_elementwise_max(largest, __builtin_bit_cast(ints, load(x + i)) & 0x7fffffff);
    return __builtin_bit_cast(float, (int32_t)__builtin_reduce_max(largest));
}

static const float zeros[256];

typedef struct {
    float scale, inverse;
} scaling;

/// How `count` numbers become bytes. Where one is not finite, *x are zeros from then on, and the scale is not a number.
INLINE scaling scaling_of(const float **x, size_t count) {
    float largest = largest_magnitude(*x, count);
    if (!(largest < INFINITY)) {
        *x = zeros;
        return (scaling){NAN, 0};
    }
    return largest < SMALLEST ? (scaling){0, 0} : (scaling){largest / 127, 127 / largest};
}

/// A block of Q8_0.
INLINE void store_block(const float *x, uint8_t *block) {
    scaling scaling = scaling_of(&x, BLOCK);
    _Float16 scale = (_Float16)scaling.scale;
    memcpy(block, &scale, 2);
    for (size_t half = 0; half < 2; half++) {
        bytes values = __builtin_convertvector(rounded(x + half * LANES, scaling.inverse), bytes);
        memcpy(block + 2 + half * LANES, &values, sizeof values);
    }
}

/// One token's 32 or 256 columns; `to` is the tile at these columns, moved on to the token's words.
INLINE void quantize_span(size_t span, const float *x, uint8_t *to, size_t width) {
    scaling scaling = scaling_of(&x, span);
    float scale = scaling.scale, inverse = scaling.inverse;
    memcpy(to, &scale, 4);
    size_t row = width * 4;
    int32_t sums[2];
    if (span == 32) {
        put_block(x, inverse, to + 2 * row, width, sums);
        memcpy(to + row, (int32_t[]){-128 * (sums[0] + sums[1])}, 4);
        return;
    }
    for (size_t block = 0; block < 8; block++) {
        put_block(x + block * 32, inverse, to + (SUPER_QUANTS + block * 8) * row, width, sums);
        memcpy(to + (SUPER_SUMS + block / 2) * row + block % 2 * 2, (int16_t[]){(int16_t)(sums[0] + sums[1])}, 2);
        memcpy(to + (SUPER_OFFSETS + block * 2) * row, (int32_t[]){-32 * sums[0]}, 4);
        memcpy(to + (SUPER_OFFSETS + block * 2 + 1) * row, (int32_t[]){-32 * sums[1]}, 4);
    }
}

static void quantize(swl_type type, const float *activations, size_t columns, swl_tile tile, void *out) {
    if (tile.count < tile.width) memset(out, 0, tile.width * token_bytes(type, columns));
    size_t span = in_supers(type) ? 256 : 32, span_bytes = tile.width * token_bytes(type, span);
    for (size_t t = 0; t < tile.count; t++) {
        const float *x = activations + (tile.first + t) * columns;
        uint8_t *to = (uint8_t *)out + t * 4;
        for (size_t column = 0; column < columns; column += span, to += span_bytes)
            span == 32 ? quantize_span(32, x + column, to, tile.width) : quantize_span(256, x + column, to, tile.width);
    }
}
