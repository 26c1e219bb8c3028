// Vectors of 16 lanes, which the compiler lays in one register or several.

#pragma once

#include "builds.h"
#include "layout.h"

#pragma clang diagnostic ignored "-Wpsabi"  // vectors are passed to inlined functions only

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
