// The kernels on vectors of 16 floats, for one instruction set. A build includes this file once, after it defined
//   SWL_TARGET                     the instruction sets, as __attribute__((target)) takes them; with FMA and F16C
//   SWL_SUMS                       how many sums of 16 floats its registers hold beside the operands: 4 or more
//   SWL_DOTS                       a file with the sums of bytes' products, in its instructions
//   SWL_NAME, SWL_KERNELS          the build's name and that of its table
//
// Each sum is one vector that takes its products column by column and is folded at the end in a fixed order. The tile that
// a row and a token happen to be in changes nothing, so neither does the batch.

#include "builds.h"
#include "layout.h"

#pragma clang attribute push(__attribute__((target(SWL_TARGET))), apply_to = function)
#pragma clang diagnostic ignored "-Wpsabi"  // vectors are passed to inlined functions only

#include "simd/vectors.h"
#include "simd/quantize.h"
#include "simd/products.h"
#include "simd/layers.h"
#include "simd/attention.h"
#include SWL_DOTS
#include "simd/packed.h"

const swl_kernels SWL_KERNELS = {
    .name = SWL_NAME,
    .dequantize = dequantize,
    .store = store,
    .matmul = matmul,
    .quantize = quantize,
    .packed_matmul = packed_matmul,
    .store_key = store_key,
    .store_keys = store_keys,
    .attention = attention,
    .add = add,
    .rms_norm = rms_norm,
    .layer_norm = layer_norm,
    .silu_multiply = silu_multiply,
    .gelu_multiply = gelu_multiply,
    .gelu = gelu,
    .softcap = softcap,
    .softmax = softmax,
};

#pragma clang attribute pop
