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
typedef enum { SWL_F32 = 0, SWL_F16 = 1, SWL_Q4_0 = 2, SWL_Q8_0 = 8 } swl_type;

/// One build of the kernels. A constant, which all threads may use.
typedef struct __attribute__((swift_attr("@Sendable"))) {
    const char *name;

    /// out[i] = row[i] as floats.
    void (*dequantize)(swl_type type, const void *row, size_t columns, float *out);

    /// Stores floats as SWL_F32 or SWL_F16 (rounded to nearest, ties to even).
    void (*store)(swl_type type, const float *values, size_t count, void *out);

    /// out[token * out_stride + row] = dot(weights[row], activations[token]) for first_row <= row < end_row.
    /// weights: rows of `columns` elements. activations: [count][columns].
    void (*matmul)(swl_type type, const void *weights, size_t columns, size_t first_row, size_t end_row, const float *activations,
                   size_t count, float *out, size_t out_stride);

    /// softmax(queries · keysᵀ · scale) · values, for `count` queries that see the same `length` positions.
    /// queries, out: rows of `dimension` floats, `query_stride` floats apart.
    /// keys, values: rows of `dimension` elements (SWL_F32 or SWL_F16), `stride` bytes apart. scores: room for count * length.
    void (*attention)(swl_type type, const float *queries, size_t query_stride, size_t count, const void *keys, const void *values,
                      size_t stride, size_t length, size_t dimension, float scale, float *scores, float *out);

    /// x / sqrt(mean(x²) + epsilon) * weight
    void (*rms_norm)(const float *x, const float *weight, size_t width, float epsilon, float *out);

    /// (x - mean(x)) / sqrt(variance(x) + epsilon) * weight + bias; out may be x.
    void (*layer_norm)(const float *x, const float *weight, const float *bias, size_t width, float epsilon, float *out);

    /// gate = silu(gate) * up, where silu(x) = x / (1 + e^-x)
    void (*silu_multiply)(float *gate, const float *up, size_t count);

    /// x = x/2 * (1 + erf(x / √2))
    void (*gelu)(float *x, size_t count);

    /// x = softmax(x); returns log Σ e^x of what x was.
    float (*softmax)(float *x, size_t count);
} swl_kernels;

/// The fastest build that this CPU runs.
const swl_kernels *swl_best_kernels(void);

/// "portable" (plain C, the reference), "avx2" or "avx512"; null where this CPU or this program does not have it.
const swl_kernels *_Nullable swl_kernels_named(const char *name);

/// x += y
void swl_add(float *x, const float *y, size_t count);

/// out[i] = base^(-i / pairs)
void swl_rotary_frequencies(float base, size_t pairs, float *out);

/// The angles of rotary position embeddings: out[2i] = cos(position * frequencies[i]), out[2i + 1] = sin(…).
void swl_rotary_angles(float position, const float *frequencies, size_t pairs, float *out);

/// Turns the pairs (x[2i], x[2i + 1]) of each head by the angles above; elements past 2 * pairs stay.
void swl_rotate(float *x, size_t heads, size_t dimension, const float *angles, size_t pairs);

#pragma clang assume_nonnull end
