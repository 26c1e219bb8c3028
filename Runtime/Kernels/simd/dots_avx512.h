// Sums of products of bytes, with VNNI.

/// sums[row] + Σ weights[row][0…3] · the four signed bytes
INLINE ints dot4(ints sums, group weights, int32_t four) {
    return (ints)_mm512_dpbusd_epi32((__m512i)sums, (__m512i)weights, _mm512_set1_epi32(four));
}

/// sums[row] + Σ weights[row][0…1] · the two signed 16-bit numbers
INLINE ints dot2(ints sums, lane_pairs weights, int32_t two) {
    return (ints)_mm512_dpwssd_epi32((__m512i)sums, _mm512_cvtepu8_epi16((__m256i)weights), _mm512_set1_epi32(two));
}
