// Products with packed weights, on vectors of 16 rows; layout.h says how things lie.
//
// The bytes' products are exact in 32-bit integers. What follows them is one chain of fused multiply-adds per row and token,
// from the first column to the last: the same bits in every build, for every width of tile and wherever chunks end.

INLINE group load_group(const uint8_t *from) {
    group value;
    memcpy(&value, from, sizeof value);
    return value;
}

INLINE group shift_right(group value, int bits) { return (group)((wide_group)value >> (uint16_t)bits); }
INLINE group shift_left(group value, int bits) { return (group)((wide_group)value << (uint16_t)bits); }

/// Group g of the 8 of a block of 32 columns, as unsigned bytes. Q4_0's are 16 times too large, so that their zero is at 128
/// like that of Q8_0. `quants` is the unit's part after the scales.
INLINE group weights_of(swl_type type, const uint8_t *quants, size_t block, size_t g) {
    if (type == SWL_Q8_0) return load_group(quants + (block * 8 + g) * GROUP);
    // Opaque, so that each group loads its vector anew: kept from group to group, they would drive sums out of the registers.
    __asm__("" : "+r"(quants));
    group pairs = load_group(quants + (block * 4 + g % 4) * GROUP);
    if (type == SWL_Q4_0) return (g < 4 ? shift_left(pairs, 4) : pairs) & 0xf0;
    group nibbles = (g < 4 ? pairs : shift_right(pairs, 4)) & 15;
    if (type == SWL_Q4_K) return nibbles;
    size_t vector = type == SWL_Q5_K ? block : block * 2 + g / 4;
    int place = type == SWL_Q5_K ? (int)g : 2 * (int)(g % 4);
    group bits = load_group(quants + (32 + vector) * GROUP);
    return nibbles | ((place < 4 ? shift_left(bits, 4 - place) : shift_right(bits, place - 4)) & (type == SWL_Q5_K ? 16 : 48));
}

INLINE int32_t word(const uint8_t *from, size_t index) {
    int32_t value;
    memcpy(&value, from + index * 4, 4);
    return value;
}

INLINE float word_as_float(const uint8_t *from, size_t index) { return __builtin_bit_cast(float, word(from, index)); }

/// 16 small scales as floats; Q6_K's are signed.
INLINE floats small_scales(swl_type type, const uint8_t *from) {
    lane_bytes value;
    memcpy(&value, from, sizeof value);
    return type == SWL_Q6_K ? __builtin_convertvector((bytes)value, floats) : __builtin_convertvector(value, floats);
}

/// Far enough that memory has answered when the kernel comes there.
enum { AHEAD = 8192 };

/// What of the first cache the weights of a chunk may take.
enum { CHUNK_BYTES = 32 << 10 };

/// Asks memory for step `step` of `steps` of the unit that lies AHEAD of this one: its share of the lines. For one panel,
/// which passes by once.
INLINE void fetch_ahead(swl_type type, const uint8_t *unit, size_t step, size_t steps) {
    const size_t lines = (unit_bytes(type) / GROUP + steps - 1) / steps;
    UNROLL for (size_t line = 0; line < lines; line++) __builtin_prefetch(unit + AHEAD + (step * lines + line) * GROUP);
}

/// What a tile asks the second cache for while it passes over a chunk of two panels: some lines of each unit of the chunk
/// that comes `distance` bytes later. The other tiles ask for the others.
typedef struct {
    ptrdiff_t distance;
    size_t first_line, end_line;
} share;

INLINE share share_of(swl_type type, ptrdiff_t distance, size_t tile, size_t tiles) {
    const size_t lines = (unit_bytes(type) + GROUP - 1) / GROUP;
    if (tile >= tiles) return (share){0, 0, 0};
    return (share){distance, lines * tile / tiles, lines * (tile + 1) / tiles};
}

INLINE void fetch_share(share share, const uint8_t *unit, size_t stride) {
    for (size_t line = share.first_line; line < share.end_line; line++) {
        __builtin_prefetch(unit + share.distance + line * GROUP, 0, 2);
        __builtin_prefetch(unit + share.distance + stride + line * GROUP, 0, 2);
    }
}

/// sums[panel][token] = dots · (scales[panel] · the token's scale) + sums
INLINE void add_scaled(size_t panels, size_t tokens, const ints *dots, const floats *scales, const uint8_t *x, floats *sums) {
    UNROLL for (size_t i = 0; i < panels * tokens; i++)
        sums[i] = fma16(__builtin_convertvector(dots[i], floats), scales[i / tokens] * word_as_float(x, i % tokens), sums[i]);
}

/// dots[panel][token] += the products of `count` groups of a block, from group `first`; x begins with the first's bytes.
INLINE void add_products(swl_type type, size_t panels, size_t tokens, const uint8_t *quants, size_t stride, size_t block,
                         size_t first, size_t count, const uint8_t *x, ints *dots) {
    UNROLL for (size_t g = first; g < first + count; g++) {
        group w[2];
        UNROLL for (size_t p = 0; p < panels; p++) w[p] = weights_of(type, quants + p * stride, block, g);
        UNROLL for (size_t t = 0; t < tokens; t++) {
            int32_t four = word(x, (g - first) * tokens + t);
            UNROLL for (size_t p = 0; p < panels; p++) dots[p * tokens + t] = dot4(dots[p * tokens + t], w[p], four);
        }
    }
}

/// A unit of Q8_0 or Q4_0: sum = dot · (scale · the token's scale) + sum, for each block of 32 columns.
INLINE void add_blocks(swl_type type, size_t panels, size_t tokens, const uint8_t *unit, size_t stride, const uint8_t *x, floats *sums) {
    UNROLL for (size_t block = 0; block < 2; block++, x += tokens * BLOCK_BYTES) {
        ints dots[panels * tokens];
        floats scales[2];
        UNROLL for (size_t p = 0; p < panels; p++) {
            scales[p] = load_halves(unit + p * stride + block * 32);
            if (type == SWL_Q4_0) scales[p] *= 0.0625f;
            if (panels == 1) fetch_ahead(type, unit, block, 2);
        }
        UNROLL for (size_t i = 0; i < panels * tokens; i++) dots[i] = word(x, tokens + i % tokens);
        add_products(type, panels, tokens, unit + QUANTS, stride, block, 0, 8, x + 8 * tokens, dots);
        add_scaled(panels, tokens, dots, scales, x, sums);
    }
}

/// A unit of Q4_K, Q5_K or Q6_K:
///   part = dot · scale + part, for each block of 32 columns (Q6_K: 16)
///   sum = part · (d · the token's scale) + sum
///   sum = Σ min · Σ bytes · (-dmin · the token's scale) + sum (not in Q6_K)
INLINE void add_super(swl_type type, size_t panels, size_t tokens, const uint8_t *unit, size_t stride, const uint8_t *x, floats *sums) {
    const size_t halves_of_block = type == SWL_Q6_K ? 2 : 1, groups = 8 / halves_of_block;
    const uint8_t *quants = unit + (type == SWL_Q6_K ? QUANTS_Q6_K : QUANTS_K);
    floats parts[panels * tokens];
    ints dots[panels * tokens];
    // Opaque, so that the sums wait in memory while registers are needed for parts.
    __asm__ volatile("" : "+r"(sums) : : "memory");
    UNROLL for (size_t i = 0; i < panels * tokens; i++) parts[i] = 0;
    for (size_t block = 0; block < 8; block++) {
        if (panels == 1) fetch_ahead(type, unit, block, 8);
        UNROLL for (size_t half = 0; half < halves_of_block; half++) {
            size_t part = block * halves_of_block + half;
            UNROLL for (size_t i = 0; i < panels * tokens; i++)
                dots[i] = type == SWL_Q6_K ? (ints)word(x, (SUPER_OFFSETS + part) * tokens + i % tokens) : (ints)0;
            add_products(type, panels, tokens, quants, stride, block, half * groups, groups,
                         x + (SUPER_QUANTS + part * groups) * tokens * 4, dots);
            UNROLL for (size_t p = 0; p < panels; p++) {
                floats scale = small_scales(type, unit + p * stride + SCALES_K + part * PANEL);
                UNROLL for (size_t i = p * tokens; i < (p + 1) * tokens; i++)
                    parts[i] = fma16(__builtin_convertvector(dots[i], floats), scale, parts[i]);
            }
        }
    }
    floats scales[2];
    UNROLL for (size_t p = 0; p < panels; p++) scales[p] = load_halves(unit + p * stride);
    UNROLL for (size_t i = 0; i < panels * tokens; i++) sums[i] = fma16(parts[i], scales[i / tokens] * word_as_float(x, i % tokens), sums[i]);
    if (type == SWL_Q6_K) return;
    UNROLL for (size_t i = 0; i < panels * tokens; i++) dots[i] = 0;
    UNROLL for (size_t pair = 0; pair < 4; pair++) {
        UNROLL for (size_t p = 0; p < panels; p++) {
            lane_pairs mins;
            memcpy(&mins, unit + p * stride + MINS_K + pair * 32, sizeof mins);
            UNROLL for (size_t t = 0; t < tokens; t++)
                dots[p * tokens + t] = dot2(dots[p * tokens + t], mins, word(x, (SUPER_SUMS + pair) * tokens + t));
        }
    }
    UNROLL for (size_t p = 0; p < panels; p++) scales[p] = -load_halves(unit + p * stride + 32);
    add_scaled(panels, tokens, dots, scales, x, sums);
}

/// Some of the columns, `units` of them, for `panels` panels × `tokens` tokens: all three are constants but `units`.
/// out already has the sums of the columns before, if there are any. `rows` and `count` say how much of out there is.
INLINE void packed_tile(swl_type type, size_t panels, size_t tokens, const uint8_t *weights, size_t stride, size_t units,
                        const uint8_t *x, share share, _Bool is_first, size_t rows, size_t count, float *out, size_t out_stride) {
    floats sums[panels * tokens];
    UNROLL for (size_t i = 0; i < panels * tokens; i++) {
        size_t p = i / tokens, t = i % tokens, left = rows - p * PANEL;
        sums[i] = 0;
        if (is_first || t >= count) continue;
        sums[i] = left < LANES ? load_part(out + t * out_stride + p * PANEL, left) : load(out + t * out_stride + p * PANEL);
    }
    for (size_t unit = 0; unit < units; unit++, weights += unit_bytes(type), x += tokens * token_bytes(type, unit_columns(type))) {
        if (panels == 2) fetch_share(share, weights, stride);
        in_supers(type) ? add_super(type, panels, tokens, weights, stride, x, sums)
                        : add_blocks(type, panels, tokens, weights, stride, x, sums);
    }
    UNROLL for (size_t i = 0; i < panels * tokens; i++) {
        size_t p = i / tokens, t = i % tokens, left = rows - p * PANEL;
        if (t >= count) continue;
        left < LANES ? put_part(out + t * out_stride + p * PANEL, sums[i], left) : put(out + t * out_stride + p * PANEL, sums[i]);
    }
}

/// One or two panels times one tile's tokens, for units first ..< end.
INLINE void panels_times_tile(swl_type type, size_t panels, const uint8_t *weights, size_t columns, size_t first, size_t end,
                              const uint8_t *x, swl_tile tile, share share, size_t rows, float *out, size_t out_stride) {
    size_t stride = panel_bytes(type, columns);
    weights += first * unit_bytes(type);
    x += tile.width * token_bytes(type, first * unit_columns(type));
#define TILE(p, t) packed_tile(type, p, t, weights, stride, end - first, x, share, first == 0, rows, tile.count, out, out_stride)
    switch (tile.width) {
    case 1: TILE(1, 1); break;
    case 2: TILE(1, 2); break;
    case 4: TILE(1, 4); break;
    case 6: panels == 2 ? TILE(2, 6) : TILE(1, 6); break;
    default: TILE(1, 8); break;
    }
#undef TILE
}

/// All tiles for some rows. With more than one tile, four panels are taken together, two by two, so that a tile's bytes stay
/// near from the one pair to the other, and their columns in chunks for which the weights of all four fit the first cache.
/// Every tile passes over a chunk before the next, which it asks memory for its part of.
INLINE void packed_products(swl_type type, const uint8_t *weights, size_t rows, size_t columns, size_t first_panel, size_t end_panel,
                            const uint8_t *tiles, size_t count, float *out, size_t out_stride) {
    const size_t chunk = CHUNK_BYTES / 4 / unit_bytes(type);
    size_t units = columns / unit_columns(type), tile_count = swl_tile_count(count), stride = panel_bytes(type, columns);
    // Those that take two panels: the last may be of another width.
    size_t wide_tiles = tile_count - (tile_count > 0 && swl_tile_at(count, tile_count - 1).width != 6);
    for (size_t panel = first_panel, step; panel < end_panel; panel += step) {
        size_t left = end_panel - panel;
        step = tile_count == 1 || left < 2 ? 1 : left < 4 ? 2 : 4;
        for (size_t first = 0, end; first < units; first = end) {
            end = tile_count == 1 || first + chunk > units ? units : first + chunk;
            ptrdiff_t next = (ptrdiff_t)(end < units ? (end - first) * unit_bytes(type) : step * stride - first * unit_bytes(type));
            for (size_t i = 0; i < tile_count; i++) {
                swl_tile tile = swl_tile_at(count, i);
                const uint8_t *x = tiles + tile.first * token_bytes(type, columns);
                for (size_t p = panel, wide; p < panel + step; p += wide) {
                    wide = step > 1 && tile.width == 6 ? 2 : 1;
                    panels_times_tile(type, wide, weights + p * stride, columns, first, end, x, tile,
                                      share_of(type, next, i, wide_tiles), rows - p * PANEL, out + tile.first * out_stride + p * PANEL, out_stride);
                }
            }
        }
    }
}

#define PRODUCTS(name, type)                                                                                                       \
    static void name(const uint8_t *weights, size_t rows, size_t columns, size_t first_panel, size_t end_panel,                    \
                     const uint8_t *tiles, size_t count, float *out, size_t out_stride) {                                          \
        packed_products(type, weights, rows, columns, first_panel, end_panel, tiles, count, out, out_stride);                      \
    }
PRODUCTS(products_q8_0, SWL_Q8_0)
PRODUCTS(products_q4_0, SWL_Q4_0)
PRODUCTS(products_q4_k, SWL_Q4_K)
PRODUCTS(products_q5_k, SWL_Q5_K)
PRODUCTS(products_q6_k, SWL_Q6_K)
#undef PRODUCTS

static void packed_matmul(swl_type type, const void *weights, size_t rows, size_t columns, size_t first_panel, size_t end_panel,
                          const void *tiles, size_t count, float *out, size_t out_stride) {
    switch (type) {
    case SWL_Q8_0: products_q8_0(weights, rows, columns, first_panel, end_panel, tiles, count, out, out_stride); break;
    case SWL_Q4_0: products_q4_0(weights, rows, columns, first_panel, end_panel, tiles, count, out, out_stride); break;
    case SWL_Q4_K: products_q4_k(weights, rows, columns, first_panel, end_panel, tiles, count, out, out_stride); break;
    case SWL_Q5_K: products_q5_k(weights, rows, columns, first_panel, end_panel, tiles, count, out, out_stride); break;
    case SWL_Q6_K: products_q6_k(weights, rows, columns, first_panel, end_panel, tiles, count, out, out_stride); break;
    case SWL_F32:
    case SWL_F16:
    case SWL_BF16: break;
    }
}
