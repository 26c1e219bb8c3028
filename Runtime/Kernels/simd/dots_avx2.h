// Sums of products of bytes, without VNNI.

typedef int32_t half_ints __attribute__((ext_vector_type(8)));

/// Rows of 4 unsigned bytes times the four, for the 8 rows of a register. Products of 16 bits, because those of unsigned and
/// signed bytes (maddubs) would be cut off where two together are past 32767.
INLINE __m256i dot4_of_8(__m256i weights, __m256i four) {
    __m256i low = _mm256_madd_epi16(_mm256_unpacklo_epi8(weights, _mm256_setzero_si256()), four);
    __m256i high = _mm256_madd_epi16(_mm256_unpackhi_epi8(weights, _mm256_setzero_si256()), four);
    return _mm256_hadd_epi32(low, high);
}

/// sums[row] + Σ weights[row][0…3] · the four signed bytes
INLINE ints dot4(ints sums, group weights, int32_t four) {
    __m256i wide = _mm256_broadcastq_epi64(_mm_cvtepi8_epi16(_mm_cvtsi32_si128(four)));
    sums.lo += __builtin_bit_cast(half_ints, dot4_of_8((__m256i)weights.lo, wide));
    sums.hi += __builtin_bit_cast(half_ints, dot4_of_8((__m256i)weights.hi, wide));
    return sums;
}

/// sums[row] + Σ weights[row][0…1] · the two signed 16-bit numbers
INLINE ints dot2(ints sums, lane_pairs weights, int32_t two) {
    __m256i wide = _mm256_set1_epi32(two);
    sums.lo += __builtin_bit_cast(half_ints, _mm256_madd_epi16(_mm256_cvtepu8_epi16((__m128i)weights.lo), wide));
    sums.hi += __builtin_bit_cast(half_ints, _mm256_madd_epi16(_mm256_cvtepu8_epi16((__m128i)weights.hi), wide));
    return sums;
}
