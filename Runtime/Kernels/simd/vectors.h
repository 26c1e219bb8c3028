// Vectors of 16 floats, and functions of them.

typedef float floats __attribute__((ext_vector_type(16)));
typedef int32_t ints __attribute__((ext_vector_type(16)));
typedef _Float16 halves __attribute__((ext_vector_type(16)));
typedef int8_t bytes __attribute__((ext_vector_type(16)));
typedef uint8_t lane_bytes __attribute__((ext_vector_type(16)));
typedef uint8_t lane_pairs __attribute__((ext_vector_type(32)));
typedef uint16_t lane_halves __attribute__((ext_vector_type(16)));
typedef int32_t four_words __attribute__((ext_vector_type(4)));

/// 4 bytes for each of 16 rows.
typedef uint8_t group __attribute__((ext_vector_type(64)));
typedef uint16_t wide_group __attribute__((ext_vector_type(32)));

enum { LANES = 16 };

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("clang loop unroll(full)")

INLINE floats load(const void *from) {
    floats value;
    memcpy(&value, from, sizeof value);
    return value;
}

/// The last `count` < 16 elements of a row; the lanes past them are zero.
INLINE floats load_part(const void *from, size_t count) {
    floats value = 0;
    memcpy(&value, from, count * sizeof(float));
    return value;
}

INLINE void put(float *to, floats value) { memcpy(to, &value, sizeof value); }
INLINE void put_part(float *to, floats value, size_t count) { memcpy(to, &value, count * sizeof *to); }
INLINE floats fma16(floats a, floats b, floats c) { return __builtin_elementwise_fma(a, b, c); }

INLINE float sum16(floats v) {
    v.lo += v.hi;
    v.lo.lo += v.lo.hi;
    v.lo.lo.lo += v.lo.lo.hi;
    return v.s0 + v.s1;
}

INLINE float max16(floats v) {
    float largest = v.s0;
    for (int i = 1; i < LANES; i++) largest = fmaxf(largest, v[i]);
    return largest;
}

/// e^x by the method of Cephes' expf: e^x = 2^n · e^r with |r| <= ln 2 / 2, e^r by a polynomial. Relative error below 2e-7;
/// from x = -87.3 downwards, about 1e-38.
INLINE floats exp16(floats x) {
    x = __builtin_elementwise_min(__builtin_elementwise_max(x, (floats)-87.3f), (floats)88.3f);
    floats n = __builtin_elementwise_rint(x * 1.44269504f);
    floats r = fma16(n, (floats)-0.693359375f, x);
    r = fma16(n, (floats)2.12194440e-4f, r);
    floats p = 1.9875691500e-4f;
    p = fma16(p, r, (floats)1.3981999507e-3f);
    p = fma16(p, r, (floats)8.3334519073e-3f);
    p = fma16(p, r, (floats)4.1665795894e-2f);
    p = fma16(p, r, (floats)1.6666665459e-1f);
    p = fma16(p, r, (floats)5.0000001201e-1f);
    p = fma16(p, r * r, r) + 1.0f;
    ints power = (__builtin_convertvector(n, ints) + 127) << 23;
    return p * __builtin_bit_cast(floats, power);
}

/// erf(x) by Abramowitz and Stegun 7.1.26; absolute error below 1.5e-7 and rounding.
INLINE floats erf16(floats x) {
    floats magnitude = __builtin_elementwise_abs(x);
    floats t = 1.0f / fma16(magnitude, (floats)0.3275911f, (floats)1.0f);
    floats p = 1.061405429f;
    p = fma16(p, t, (floats)-1.453152027f);
    p = fma16(p, t, (floats)1.421413741f);
    p = fma16(p, t, (floats)-0.284496736f);
    p = fma16(p, t, (floats)0.254829592f);
    floats value = 1.0f - p * t * exp16(-magnitude * magnitude);
    return __builtin_elementwise_copysign(value, x);
}
