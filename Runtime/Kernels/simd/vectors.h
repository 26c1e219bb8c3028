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
    v.lo = __builtin_elementwise_max(v.lo, v.hi);
    v.lo.lo = __builtin_elementwise_max(v.lo.lo, v.lo.hi);
    v.lo.lo.lo = __builtin_elementwise_max(v.lo.lo.lo, v.lo.lo.hi);
    return fmaxf(v.s0, v.s1);
}

/// e^x by the method of Cephes' expf: e^x = 2^n · e^r with |r| <= ln 2 / 2, e^r by a polynomial. Relative error below 2e-7;
/// from x = -87.3 downwards, about 1e-38.
INLINE floats exp16(floats x) {
    // Comparisons, and no minimum: what is not a number stays so, and each is one instruction.
    x = x > 88.3f ? 88.3f : x;
    x = x < -87.3f ? -87.3f : x;
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

/// erf(x) as x · p(x²) / q(x²) up to |x| = 4, and ±1 from there; absolute error below 5e-7.
/// Source of the coefficients: `generic_fast_erf_float` of Eigen 3.3, Eigen/src/Core/MathFunctionsImpl.h and unsupported's
/// SpecialFunctionsImpl.h.
INLINE floats erf16(floats x) {
    floats square = x * x, p = -2.72614225801306e-10f, q = -1.45660718464996e-05f;
    p = fma16(p, square, (floats)2.77068142495902e-08f);
    p = fma16(p, square, (floats)-2.10102402082508e-06f);
    p = fma16(p, square, (floats)-5.69250639462346e-05f);
    p = fma16(p, square, (floats)-7.34990630326855e-04f);
    p = fma16(p, square, (floats)-2.95459980854025e-03f);
    p = fma16(p, square, (floats)-1.60960333262415e-02f);
    q = fma16(q, square, (floats)-2.13374055278905e-04f);
    q = fma16(q, square, (floats)-1.68282697438203e-03f);
    q = fma16(q, square, (floats)-7.37332916720468e-03f);
    q = fma16(q, square, (floats)-1.42647390514189e-02f);
    return __builtin_elementwise_abs(x) < 4.0f ? x * p / q : __builtin_elementwise_copysign((floats)1.0f, x);
}
