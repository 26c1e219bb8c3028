// What every build does the same way: too little work to be worth several.

#include "include/kernels.h"

#include <math.h>

void swl_rotary_frequencies(float base, size_t pairs, float *out) {
    for (size_t i = 0; i < pairs; i++) out[i] = 1 / powf(base, (float)i / (float)pairs);
}

void swl_rotary_angles(float position, const float *frequencies, size_t pairs, float magnitude, float *out) {
    for (size_t i = 0; i < pairs; i++) {
        float angle = position * frequencies[i];
        out[2 * i] = cosf(angle) * magnitude;
        out[2 * i + 1] = sinf(angle) * magnitude;
    }
}

static inline void rotate(float *x, size_t heads, size_t dimension, const float *angles, size_t pairs, size_t step, size_t apart) {
    for (size_t head = 0; head < heads; head++, x += dimension) {
        for (size_t i = 0; i < pairs; i++) {
            float a = x[step * i], b = x[step * i + apart], cosine = angles[2 * i], sine = angles[2 * i + 1];
            x[step * i] = a * cosine - b * sine;
            x[step * i + apart] = a * sine + b * cosine;
        }
    }
}

void swl_rotate_neighbours(float *x, size_t heads, size_t dimension, const float *angles, size_t pairs) {
    rotate(x, heads, dimension, angles, pairs, 2, 1);
}

void swl_rotate_halves(float *x, size_t heads, size_t dimension, const float *angles, size_t pairs) {
    rotate(x, heads, dimension, angles, pairs, 1, pairs);
}
