// Types of weights in GGUF files that the kernels do not compute with, as floats and as types that they do compute with; and
// floats as types of GGUF files. Rows only, of whole blocks; numbers of types are GGML's. Nothing here checks its arguments.
//
// Source of the formats: ggml-common.h and `dequantize_row_q4_1` and its siblings in
// https://github.com/ggml-org/ggml/blob/master/src/ggml-quants.c

#pragma once

#include "kernels.h"

#pragma clang assume_nonnull begin

typedef enum {
    SWL_Q4_1 = 3, SWL_Q5_0 = 6, SWL_Q5_1 = 7, SWL_Q2_K = 10, SWL_Q3_K = 11, SWL_IQ4_NL = 20, SWL_IQ4_XS = 23, SWL_MXFP4 = 39
} swl_foreign_type;

/// What a conversion loses.
typedef enum {
    /// Nothing.
    SWL_EXACT,
    /// Scales are rounded to half precision: each weight changes by at most 1/2048 of itself.
    SWL_ROUNDED_SCALES,
    /// Weights are rounded: each changes by at most 1/250 of the largest of its 32.
    SWL_ROUNDED_WEIGHTS
} swl_loss;

/// The type of the kernels into which rows are converted, and what that loses.
swl_type swl_native_type(swl_foreign_type type);
swl_loss swl_conversion_loss(swl_foreign_type type);

/// The bytes of a row of a foreign type.
size_t swl_foreign_row_bytes(swl_foreign_type type, size_t columns);

/// out[i] = row[i]
void swl_decode_row(swl_foreign_type type, const void *row, size_t columns, float *out);

/// The row in swl_native_type(type).
void swl_convert_row(swl_foreign_type type, const void *row, size_t columns, void *out);

/// Floats as a row of Q4_K, Q5_K or Q6_K, the same as GGML's reference code makes of them.
/// Source: `quantize_row_q4_K_ref` and its siblings in ggml-quants.c
/// - Returns: false if a number is not finite or does not fit; the bytes are then useless.
_Bool swl_encode_row(swl_type type, const float *row, size_t columns, void *out);

#pragma clang assume_nonnull end
