// The arithmetic of transformers on the CPU, in several builds of which one is chosen at run time.
//
// Rows are contiguous. Weights are read as GGUF stores them; activations are 32-bit floats. Every result is computed in an
// order that depends only on its own row and length, never on what else is in the call: a sequence gets the same bits
// alone and in a batch. Nothing here checks its arguments or allocates; nothing needs alignment beyond that of a float.

#pragma once

#include <stddef.h>
#include <stdint.h>

#pragma clang assume_nonnull begin

/// How elements are stored, with GGML's numbers. Q8_0: blocks of 32 elements, an f16 scale before 32 signed bytes.
/// Q4_0: blocks of 32, an f16 scale before 16 bytes; byte i holds elements i (low half) and i + 16, each plus 8.
/// Q4_K, Q5_K, Q6_K: blocks of 256, see blocks.h.
typedef enum {
    SWL_F32 = 0, SWL_F16 = 1, SWL_Q4_0 = 2, SWL_Q8_0 = 8, SWL_Q4_K = 12, SWL_Q5_K = 13, SWL_Q6_K = 14, SWL_BF16 = 30
} swl_type;

/// The rows of weights that are packed together: the last panel of a matrix is filled up with zeros.
enum { SWL_PANEL = 16 };

/// Tokens that a kernel takes at once: `count` from `first`, filled up to `width` with zeros.
typedef struct {
    size_t first, count, width;
} swl_tile;

/// Queries that take room in an attention's scratch memory.
enum { SWL_QUERIES = 8 };

/// The positions whose keys and values lie together.
enum { SWL_BLOCK = 16 };

/// Queries of neighbouring tokens and heads that look at the same keys and values.
typedef struct {
    /// Of keys and values: SWL_F32, SWL_F16, or SWL_Q8_0 where the dimension is a multiple of 32.
    swl_type type;
    /// Elements of a query, a key and a value.
    size_t dimension;
    /// The places, in a larger memory, of the blocks of SWL_BLOCK positions that the queries look at, in order; null where
    /// block i is at place i.
    const uint32_t *_Nullable blocks;
    /// The keys of place 0, [dimension][SWL_BLOCK]: they stand side by side; those of the next place are
    /// `key_block_stride` bytes on. Of SWL_Q8_0, for each 32 elements, SWL_BLOCK f16 scales, then [32][SWL_BLOCK] signed bytes. Blocks are whole, whatever is in the positions that no query sees.
    const void *keys;
    size_t key_block_stride;
    /// The values of place 0: a row of `dimension` elements for each position, `value_stride` bytes apart.
    const void *values;
    size_t value_block_stride, value_stride;
    /// [tokens][heads][dimension], tokens `token_stride` floats apart.
    const float *queries;
    float *out;
    size_t tokens, heads, token_stride;
    /// The first token sees `length` positions, each one after it `step` more.
    size_t length, step;
    /// How many of these, counted from the last, a token looks at; 0 is all.
    size_t window;
    float scale;
    /// Scores become softcap * tanh(score / softcap); 0 leaves them.
    float softcap;
    /// Room for SWL_QUERIES * (dimension + the most positions that a token sees, rounded up to 16) floats.
    float *scratch;
} swl_attention;

/// One build of the kernels. A constant, which all threads may use.
typedef struct __attribute__((swift_attr("@Sendable"))) {
    const char *name;

    /// out[i] = row[i] as floats.
    void (*dequantize)(swl_type type, const void *row, size_t columns, float *out);

    /// Stores floats as SWL_F32, SWL_F16 (rounded to nearest, ties to even) or, a multiple of 32 of them, as SWL_Q8_0.
    void (*store)(swl_type type, const float *values, size_t count, void *out);

    /// out[token * out_stride + row] = dot(weights[row], activations[token]) for first_row <= row < end_row.
    /// weights: rows of `columns` elements, not of Q4_K, Q5_K or Q6_K. activations: [count][columns].
    void (*matmul)(swl_type type, const void *weights, size_t columns, size_t first_row, size_t end_row, const float *activations,
                   size_t count, float *out, size_t out_stride);

    /// Quantizes a tile of the tokens `activations` [][columns] to bytes, for products with packed weights of `type`: with
    /// one scale for each 32 columns (Q8_0, Q4_0) or 256 (the others). What is not a number stays so.
    void (*quantize)(swl_type type, const float *activations, size_t columns, swl_tile tile, void *out);

    /// matmul with packed weights and `tiles`, all tiles of `count` tokens one after the other, for rows of the panels
    /// first_panel <= panel < end_panel. The same bits in every build.
    void (*packed_matmul)(swl_type type, const void *weights, size_t rows, size_t columns, size_t first_panel, size_t end_panel,
                          const void *tiles, size_t count, float *out, size_t out_stride);

    /// Puts a position's key, `dimension` floats, among keys of type SWL_F32, SWL_F16 or SWL_Q8_0 whose blocks
    /// follow one another: see swl_attention.
    void (*store_key)(swl_type type, const float *key, size_t dimension, size_t position, void *keys);

    /// store_key for SWL_F32 and the positions 0 ..< count, whose keys are `stride` floats apart.
    void (*store_keys)(const float *from, size_t stride, size_t dimension, size_t count, float *keys);

    /// softmax(query · keysᵀ · scale) · values for each query, scores capped and positions left out as the arguments say. The same bits for a query whatever others there are.
    void (*attention)(const swl_attention *attention);

    /// x += y
    void (*add)(float *x, const float *y, size_t count);

    /// x / sqrt(mean(x²) + epsilon) * weight
    void (*rms_norm)(const float *x, const float *weight, size_t width, float epsilon, float *out);

    /// (x - mean(x)) / sqrt(variance(x) + epsilon) * weight + bias; out may be x.
    void (*layer_norm)(const float *x, const float *weight, const float *bias, size_t width, float epsilon, float *out);

    /// gate = silu(gate) * up, where silu(x) = x / (1 + e^-x)
    void (*silu_multiply)(float *gate, const float *up, size_t count);

    /// gate = gelu(gate) * up with the approximation gelu(x) = x/2 * (1 + tanh(√(2/π) (x + 0.044715 x³)))
    void (*gelu_multiply)(float *gate, const float *up, size_t count);

    /// x = x/2 * (1 + erf(x / √2))
    void (*gelu)(float *x, size_t count);

    /// x = cap * tanh(x / cap)
    void (*softcap)(float *x, size_t count, float cap);

    /// x = softmax(x); returns log Σ e^x of what x was.
    float (*softmax)(float *x, size_t count);
} swl_kernels;

/// The fastest build that this CPU runs.
const swl_kernels *swl_best_kernels(void);

/// "portable" (plain C, the reference), "avx2" or "avx512"; null where this CPU or this program does not have it.
const swl_kernels *_Nullable swl_kernels_named(const char *name);

/// Whether rows of `columns` elements have a packed layout.
_Bool swl_can_pack(swl_type type, size_t columns);
size_t swl_packed_bytes(swl_type type, size_t rows, size_t columns);

/// Packs the panel's rows of a GGUF matrix to `out`, which takes swl_packed_bytes(type, SWL_PANEL, columns) bytes.
void swl_pack_panel(swl_type type, const void *weights, size_t rows, size_t columns, size_t panel, void *out);

/// How many tiles `count` tokens make, which tokens they have, and how many bytes they take for products with `type`;
/// a tile begins where those before it end, first * swl_tiles_bytes(type, columns, 1) bytes from the start.
size_t swl_tile_count(size_t count);
swl_tile swl_tile_at(size_t count, size_t index);
size_t swl_tiles_bytes(swl_type type, size_t columns, size_t count);

/// out[i] = base^(-i / pairs)
void swl_rotary_frequencies(float base, size_t pairs, float *out);

/// The angles of rotary position embeddings: out[2i] = cos(position * frequencies[i]) * magnitude, out[2i + 1] = sin(…) * magnitude.
void swl_rotary_angles(float position, const float *frequencies, size_t pairs, float magnitude, float *out);

/// Turns pairs of each head's elements by the angles above: neighbours (x[2i], x[2i + 1]), or (x[i], x[i + pairs]). Elements
/// past 2 * pairs stay.
void swl_rotate_neighbours(float *x, size_t heads, size_t dimension, const float *angles, size_t pairs);
void swl_rotate_halves(float *x, size_t heads, size_t dimension, const float *angles, size_t pairs);

#pragma clang assume_nonnull end
