#if defined(__x86_64__)
#include "vectors.h"

#include <immintrin.h>

#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c"))), apply_to = function)

#define SWL_SUMS 16  // each takes one register
#include "simd.h"

/// sums[row] + Σ weights[row][0…3] · the four signed bytes
INLINE ints dot4(ints sums, group weights, int32_t four) {
    return (ints)_mm512_dpbusd_epi32((__m512i)sums, (__m512i)weights, _mm512_set1_epi32(four));
}

/// sums[row] + Σ weights[row][0…1] · the two signed 16-bit numbers
INLINE ints dot2(ints sums, lane_pairs weights, int32_t two) {
    return (ints)_mm512_dpwssd_epi32((__m512i)sums, _mm512_cvtepu8_epi16((__m256i)weights), _mm512_set1_epi32(two));
}

#include "packed.h"
#include "quantize.h"

const swl_kernels swl_avx512_kernels = {
    .name = "avx512",
    .dequantize = dequantize,
    .store = store,
    .matmul = matmul,
    .quantize = quantize,
    .packed_matmul = packed_matmul,
    .attention = attention,
    .rms_norm = rms_norm,
    .layer_norm = layer_norm,
    .silu_multiply = silu_multiply,
    .gelu = gelu,
    .softmax = softmax,
};

#pragma clang attribute pop
#endif
