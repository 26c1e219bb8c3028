// How weights and activations lie in memory for the packed products.
//
// A packed matrix is a row of panels. A panel holds 16 rows, the lanes of a vector, unit after unit along the columns. The
// elements of 4 neighbouring columns stand together: a group is 64 bytes, byte 4 * row + column, and what one instruction
// multiplies. Where an element has fewer than 8 bits, one vector of 64 bytes holds several groups, in fields of its bytes.
//
//   type   columns of a unit, and its parts
//   Q8_0    64   2 × 16 f16 scales; 16 groups of bytes, each plus 128
//   Q4_0    64   2 × 16 f16 scales; 8 vectors of nibbles
//   Q4_K   256   16 f16 d; 16 f16 dmin; 8 × 16 scales; 4 × 16 pairs of mins; 32 vectors of nibbles
//   Q5_K   256   the same; 8 vectors of fifth bits
//   Q6_K   256   16 f16 d; 32 bytes of nothing; 16 × 16 signed scales; 32 vectors of nibbles; 16 vectors of upper bits
//
// Of the 8 groups of 32 columns, nibble vector v of 4 holds group v (low) and v + 4 (high); the fifth bit of group g is bit g
// of the block's one vector; the two upper bits of group g are bits 2 * (g % 4) and the next of the block's vector g / 4.
//
// Activations are quantized to signed bytes and lie in tiles of 1 to 8 tokens, so that a kernel reads a tile from its
// beginning to its end:
//   blocks   for each 32 columns: a scale per token; -128 · Σ bytes per token; then, for each 4 columns, 4 bytes per token
//   supers   for each 256 columns: a scale per token; for each 64 columns, the two sums of 32 as 16 bits each per token; for
//            each 16 columns, -32 · Σ bytes per token; then, for each 4 columns, 4 bytes per token

#pragma once

#include "blocks.h"

enum { PANEL = SWL_PANEL, GROUP = 64 };

/// Where a unit's parts begin.
enum { QUANTS = 64, SCALES_K = 64, MINS_K = SCALES_K + 128, QUANTS_K = MINS_K + 128, QUANTS_Q6_K = SCALES_K + 256 };

/// What one token takes of a tile, for each 32 columns and for each 256.
enum { BLOCK_BYTES = 4 + 4 + 32, SUPER_BYTES = 4 + 4 * 4 + 16 * 4 + 256 };

/// Where a super's parts begin, in 32-bit words per token.
enum { SUPER_SUMS = 1, SUPER_OFFSETS = 5, SUPER_QUANTS = 21 };

static inline _Bool in_supers(swl_type type) { return type == SWL_Q4_K || type == SWL_Q5_K || type == SWL_Q6_K; }

static inline size_t unit_columns(swl_type type) { return in_supers(type) ? 256 : 64; }

static inline size_t unit_bytes(swl_type type) {
    switch (type) {
    case SWL_Q8_0: return QUANTS + 16 * GROUP;
    case SWL_Q4_0: return QUANTS + 8 * GROUP;
    case SWL_Q4_K: return QUANTS_K + 32 * GROUP;
    case SWL_Q5_K: return QUANTS_K + 40 * GROUP;
    case SWL_Q6_K: return QUANTS_Q6_K + 48 * GROUP;
    case SWL_F32:
    case SWL_F16:
    case SWL_BF16: return 0;
    }
    return 0;
}

static inline size_t panel_bytes(swl_type type, size_t columns) { return columns / unit_columns(type) * unit_bytes(type); }

/// What one token takes of a tile.
static inline size_t token_bytes(swl_type type, size_t columns) {
    return in_supers(type) ? columns / 256 * SUPER_BYTES : columns / 32 * BLOCK_BYTES;
}
