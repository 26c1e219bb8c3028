// From a GGUF file's rows to panels, and from a count of tokens to tiles.

#include "layout.h"

_Bool swl_can_pack(swl_type type, size_t columns) { return unit_bytes(type) != 0 && columns != 0 && columns % unit_columns(type) == 0; }

size_t swl_packed_bytes(swl_type type, size_t rows, size_t columns) {
    return (rows + PANEL - 1) / PANEL * panel_bytes(type, columns);
}

/// Puts 4 columns of a row, group g of 8, into a block's nibble vectors.
static void put_nibbles(uint8_t *vectors, size_t row, size_t g, const uint8_t *four) {
    for (size_t i = 0; i < 4; i++) vectors[g % 4 * GROUP + row * 4 + i] |= (four[i] & 15) << (g < 4 ? 0 : 4);
}

/// A row's 64 columns of Q8_0 or Q4_0.
static void pack_blocks(swl_type type, const uint8_t *from, size_t row, uint8_t *unit) {
    for (size_t block = 0; block < 2; block++, from += row_bytes(type, BLOCK)) {
        memcpy(unit + block * 32 + row * 2, from, 2);
        for (size_t g = 0; g < 8; g++) {
            uint8_t four[4];
            for (size_t i = 0; i < 4; i++) {
                size_t column = g * 4 + i;
                four[i] = type == SWL_Q8_0 ? from[2 + column] + 128 : column < 16 ? from[2 + column] & 15 : from[2 + column - 16] >> 4;
            }
            if (type == SWL_Q8_0)
                memcpy(unit + QUANTS + (block * 8 + g) * GROUP + row * 4, four, 4);
            else
                put_nibbles(unit + QUANTS + block * 4 * GROUP, row, g, four);
        }
    }
}

/// A row's 256 columns of Q4_K, Q5_K or Q6_K.
static void pack_super(swl_type type, const uint8_t *from, size_t row, uint8_t *unit) {
    super_block super;
    swl_read_super_block(type, from, &super);
    memcpy(unit + row * 2, &super.d, 2);
    for (size_t i = 0; i < (type == SWL_Q6_K ? 16 : 8); i++) unit[SCALES_K + i * PANEL + row] = super.scales[i];
    if (type != SWL_Q6_K) {
        memcpy(unit + 32 + row * 2, &super.dmin, 2);
        for (size_t i = 0; i < 8; i++) unit[MINS_K + i / 2 * 32 + row * 2 + i % 2] = super.mins[i];
    }
    uint8_t *quants = unit + (type == SWL_Q6_K ? QUANTS_Q6_K : QUANTS_K), *upper = quants + 32 * GROUP;
    for (size_t block = 0; block < 8; block++) {
        for (size_t g = 0; g < 8; g++) {
            const uint8_t *four = super.quants + block * 32 + g * 4;
            put_nibbles(quants + block * 4 * GROUP, row, g, four);
            for (size_t i = 0; i < 4; i++) {
                if (type == SWL_Q5_K) upper[block * GROUP + row * 4 + i] |= four[i] >> 4 << g;
                if (type == SWL_Q6_K) upper[(block * 2 + g / 4) * GROUP + row * 4 + i] |= four[i] >> 4 << g % 4 * 2;
            }
        }
    }
}

void swl_pack_panel(swl_type type, const void *weights, size_t rows, size_t columns, size_t panel, void *out) {
    size_t bytes = row_bytes(type, columns), width = unit_columns(type), first = panel * PANEL;
    memset(out, 0, panel_bytes(type, columns));
    for (size_t row = 0; row < PANEL && first + row < rows; row++) {
        const uint8_t *from = (const uint8_t *)weights + (first + row) * bytes;
        for (size_t unit = 0; unit < columns / width; unit++) {
            uint8_t *to = (uint8_t *)out + unit * unit_bytes(type);
            const uint8_t *part = from + unit * row_bytes(type, width);
            in_supers(type) ? pack_super(type, part, row, to) : pack_blocks(type, part, row, to);
        }
    }
}

// Tiles of 6 tokens × 2 panels and of 8 × 1 fill the registers and are the fastest; the last takes from 1 to 8 tokens.

static size_t sixes(size_t count) { return count > 8 ? (count - 3) / 6 : 0; }

size_t swl_tile_count(size_t count) { return count ? sixes(count) + 1 : 0; }

swl_tile swl_tile_at(size_t count, size_t index) {
    size_t first = index * 6, left = count - first;
    if (index < sixes(count)) return (swl_tile){first, 6, 6};
    return (swl_tile){first, left, left > 6 ? 8 : left > 4 ? 6 : left > 2 ? 4 : left};
}

size_t swl_tiles_bytes(swl_type type, size_t columns, size_t count) {
    if (count == 0) return 0;
    swl_tile last = swl_tile_at(count, swl_tile_count(count) - 1);
    return (last.first + last.width) * token_bytes(type, columns);
}
