// What every build does the same way: too little work to be worth several.

#include "include/kernels.h"

#include <math.h>

void swl_rotary_frequencies(float base, size_t pairs, float *out) {
    for (size_t i = 0; i < pairs; i++) out[i] = 1 / powf(base, (float)i / (float)pairs);
}

void swl_rotary_angles(float position, const float *frequencies, size_t pairs, float *out) {
    for (size_t i = 0; i < pairs; i++) {
        float angle = position * frequencies[i];
        out[2 * i] = cosf(angle);
        out[2 * i + 1] = sinf(angle);
    }
}

void swl_rotate(float *x, size_t heads, size_t dimension, const float *angles, size_t pairs) {
    for (size_t head = 0; head < heads; head++, x += dimension) {
        for (size_t i = 0; i < pairs; i++) {
            float a = x[2 * i], b = x[2 * i + 1], cosine = angles[2 * i], sine = angles[2 * i + 1];
            x[2 * i] = a * cosine - b * sine;
            x[2 * i + 1] = a * sine + b * cosine;
        }
    }
}
