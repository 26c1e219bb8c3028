#pragma once

#include "include/kernels.h"

extern const swl_kernels swl_portable_kernels;
#if defined(__x86_64__)
extern const swl_kernels swl_avx2_kernels;
extern const swl_kernels swl_avx512_kernels;
#endif

/// Activations below this are zero: the inverse of their scale would be no number.
#define SMALLEST 1e-30f

/// Quantizes up to 256 floats to bytes and returns their scale; NAN where one is not finite.
float swl_quantize_row(const float *x, size_t count, int8_t *quants);

/// √(2/π), and the part of the cube, in gelu's approximation.
#define GELU_SLOPE 0.7978845608f
#define GELU_CUBE 0.044715f

void swl_portable_quantize(swl_type type, const float *activations, size_t columns, swl_tile tile, void *out);
void swl_portable_packed_matmul(swl_type type, const void *weights, size_t rows, size_t columns, size_t first_panel, size_t end_panel,
                                const void *tiles, size_t count, float *out, size_t out_stride);
