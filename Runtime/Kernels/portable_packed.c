// The reference of the packed products: element by element, with the sums of packed.h.

#include "builds.h"
#include "layout.h"

static int32_t *words(void *from) { return from; }

float swl_quantize_row(const float *x, size_t count, int8_t *quants) {
    uint32_t largest = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t magnitude = bits_of_float(x[i]) & 0x7fffffff;
        if (magnitude > largest) largest = magnitude;
    }
    memset(quants, 0, count);
    float limit = float_of_bits(largest);
    if (!(limit < INFINITY)) return NAN;
    if (limit < SMALLEST) return 0;
    float inverse = 127 / limit;
    for (size_t i = 0; i < count; i++) quants[i] = (int8_t)rintf(x[i] * inverse);
    return limit / 127;
}

static int32_t sum_of(const int8_t *quants, size_t count) {
    int32_t sum = 0;
    for (size_t i = 0; i < count; i++) sum += quants[i];
    return sum;
}

void swl_portable_quantize(swl_type type, const float *activations, size_t columns, swl_tile tile, void *out) {
    size_t span = in_supers(type) ? 256 : 32, width = tile.width;
    memset(out, 0, width * token_bytes(type, columns));
    for (size_t t = 0; t < tile.count; t++) {
        for (size_t first = 0; first < columns; first += span) {
            int32_t *to = words((uint8_t *)out + width * token_bytes(type, first));
            int8_t quants[256];
            float scale = swl_quantize_row(activations + (tile.first + t) * columns + first, span, quants);
            memcpy(to + t, &scale, 4);
            if (in_supers(type)) {
                for (size_t i = 0; i < 4; i++) {
                    int16_t sums[2] = {(int16_t)sum_of(quants + i * 64, 32), (int16_t)sum_of(quants + i * 64 + 32, 32)};
                    memcpy(to + (SUPER_SUMS + i) * width + t, sums, 4);
                }
                for (size_t i = 0; i < 16; i++) to[(SUPER_OFFSETS + i) * width + t] = -32 * sum_of(quants + i * 16, 16);
            } else {
                to[width + t] = -128 * sum_of(quants, 32);
            }
            for (size_t i = 0; i < span / 4; i++)
                memcpy(to + ((in_supers(type) ? SUPER_QUANTS : 2) + i) * width + t, quants + i * 4, 4);
        }
    }
}

/// The unsigned number that is packed for one of a unit's columns: Q8_0's plus 128, Q6_K's plus 32, Q4_0's plus 8.
static int32_t packed_number(swl_type type, const uint8_t *unit, size_t row, size_t column) {
    size_t block = column / 32, g = column % 32 / 4, byte = row * 4 + column % 4;
    if (type == SWL_Q8_0) return unit[QUANTS + (block * 8 + g) * GROUP + byte];
    const uint8_t *quants = unit + (type == SWL_Q4_0 ? QUANTS : type == SWL_Q6_K ? QUANTS_Q6_K : QUANTS_K);
    const uint8_t *upper = quants + 32 * GROUP;
    int32_t nibble = quants[(block * 4 + g % 4) * GROUP + byte] >> (g < 4 ? 0 : 4) & 15;
    if (type == SWL_Q5_K) nibble |= (upper[block * GROUP + byte] >> g & 1) << 4;
    if (type == SWL_Q6_K) nibble |= (upper[(block * 2 + g / 4) * GROUP + byte] >> g % 4 * 2 & 3) << 4;
    return nibble;
}

/// Σ (number - zero) · byte over columns of a unit; x is the unit's bytes of a tile, for this token.
static int32_t dot(swl_type type, const uint8_t *unit, size_t row, size_t first, size_t count, const int8_t *x, size_t width) {
    int32_t zero = type == SWL_Q8_0 ? 128 : type == SWL_Q4_0 ? 8 : type == SWL_Q6_K ? 32 : 0, sum = 0;
    for (size_t i = first; i < first + count; i++)
        sum += (packed_number(type, unit, row, i) - zero) * x[(i - first) / 4 * 4 * width + i % 4];
    return sum;
}

static float add_blocks(swl_type type, const uint8_t *unit, size_t row, const uint8_t *x, size_t t, size_t width, float sum) {
    for (size_t block = 0; block < 2; block++, x += width * BLOCK_BYTES) {
        float scale, weight_scale = half_to_float(load_half(unit + block * 32 + row * 2));
        memcpy(&scale, x + t * 4, 4);
        int32_t product = dot(type, unit, row, block * 32, 32, (const int8_t *)x + (2 * width + t) * 4, width);
        sum = fmaf((float)product, weight_scale * scale, sum);
    }
    return sum;
}

static float add_super(swl_type type, const uint8_t *unit, size_t row, const uint8_t *x, size_t t, size_t width, float sum) {
    size_t span = type == SWL_Q6_K ? 16 : 32;
    float part = 0, scale;
    memcpy(&scale, x + t * 4, 4);
    for (size_t i = 0; i < 256 / span; i++) {
        uint8_t small = unit[SCALES_K + i * PANEL + row];
        const int8_t *quants = (const int8_t *)x + ((SUPER_QUANTS + i * span / 4) * width + t) * 4;
        part = fmaf((float)dot(type, unit, row, i * span, span, quants, width), type == SWL_Q6_K ? (int8_t)small : small, part);
    }
    sum = fmaf(part, half_to_float(load_half(unit + row * 2)) * scale, sum);
    if (type == SWL_Q6_K) return sum;
    int32_t least = 0;
    for (size_t i = 0; i < 8; i++) {
        int16_t bytes;
        memcpy(&bytes, x + ((SUPER_SUMS + i / 2) * width + t) * 4 + i % 2 * 2, 2);
        least += unit[MINS_K + i / 2 * 32 + row * 2 + i % 2] * bytes;
    }
    return fmaf((float)least, -half_to_float(load_half(unit + 32 + row * 2)) * scale, sum);
}

void swl_portable_packed_matmul(swl_type type, const void *weights, size_t rows, size_t columns, size_t first_panel, size_t end_panel,
                                const void *tiles, size_t count, float *out, size_t out_stride) {
    size_t span = unit_columns(type), end = end_panel * PANEL < rows ? end_panel * PANEL : rows;
    for (size_t index = 0; index < swl_tile_count(count); index++) {
        swl_tile tile = swl_tile_at(count, index);
        const uint8_t *x = (const uint8_t *)tiles + tile.first * token_bytes(type, columns);
        for (size_t row = first_panel * PANEL; row < end; row++) {
            const uint8_t *panel = (const uint8_t *)weights + row / PANEL * panel_bytes(type, columns);
            for (size_t t = 0; t < tile.count; t++) {
                float sum = 0;
                for (size_t unit = 0; unit < columns / span; unit++) {
                    const uint8_t *at = panel + unit * unit_bytes(type), *part = x + tile.width * token_bytes(type, unit * span);
                    sum = in_supers(type) ? add_super(type, at, row % PANEL, part, t, tile.width, sum)
                                          : add_blocks(type, at, row % PANEL, part, t, tile.width, sum);
                }
                out[(tile.first + t) * out_stride + row] = sum;
            }
        }
    }
}
