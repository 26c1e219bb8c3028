// Floats as Q4_K, Q5_K and Q6_K. The search for scales is GGML's, step by step, so that files come out the same.

#include "include/formats.h"
#include "write.h"

/// Groups whose largest number is below this are zeros.
static const float nothing = 1e-15f;

static int clamp(float value, int least, int most) {
    float whole = rintf(value);
    // The first also takes what is not a number.
    return !(whole > (float)least) ? least : whole >= (float)most ? most : (int)whole;
}

/// Finds scale and least of 32 numbers so that scale · quant + least, with quants from 0 to `most`, comes near them, the large
/// ones nearest.
/// - Returns: the scale; `least` is never above 0 and given without its sign.
static float fit_with_least(const float *x, int most, float from, int steps, uint8_t *quants, float *least) {
    float sum_squares = 0;
    for (size_t i = 0; i < BLOCK; i++) sum_squares += x[i] * x[i];
    float average = sqrtf(sum_squares / BLOCK);
    float weights[BLOCK];
    for (size_t i = 0; i < BLOCK; i++) weights[i] = average + fabsf(x[i]);
    float low = x[0], high = x[0], sum_w = weights[0], sum_x = weights[0] * x[0];
    for (size_t i = 1; i < BLOCK; i++) {
        if (x[i] < low) low = x[i];
        if (x[i] > high) high = x[i];
        sum_w += weights[i];
        sum_x += weights[i] * x[i];
    }
    if (low > 0) low = 0;
    if (high == low) {
        memset(quants, 0, BLOCK);
        *least = -low;
        return 0;
    }
    float inverse = (float)most / (high - low), scale = 1 / inverse, best = 0;
    for (size_t i = 0; i < BLOCK; i++) {
        quants[i] = (uint8_t)clamp(inverse * (x[i] - low), 0, most);
        float difference = scale * (float)quants[i] + low - x[i];
        best += weights[i] * difference * difference;
    }
    for (int step = 0; step <= steps; step++) {
        uint8_t candidates[BLOCK];
        float sum_l = 0, sum_l2 = 0, sum_xl = 0;
        inverse = (from + 0.1f * (float)step + (float)most) / (high - low);
        for (size_t i = 0; i < BLOCK; i++) {
            int l = clamp(inverse * (x[i] - low), 0, most);
            candidates[i] = (uint8_t)l;
            sum_l += weights[i] * (float)l;
            sum_l2 += weights[i] * (float)l * (float)l;
            sum_xl += weights[i] * (float)l * x[i];
        }
        float determinant = sum_w * sum_l2 - sum_l * sum_l;
        if (!(determinant > 0)) continue;
        float this_scale = (sum_w * sum_xl - sum_x * sum_l) / determinant, this_low = (sum_l2 * sum_x - sum_l * sum_xl) / determinant;
        if (this_low > 0) {
            this_low = 0;
            this_scale = sum_xl / sum_l2;
        }
        float error = 0;
        for (size_t i = 0; i < BLOCK; i++) {
            float difference = this_scale * (float)candidates[i] + this_low - x[i];
            error += weights[i] * difference * difference;
        }
        if (error < best) {
            memcpy(quants, candidates, BLOCK);
            best = error;
            scale = this_scale;
            low = this_low;
        }
    }
    *least = -low;
    return scale;
}

/// Finds a scale so that scale · quant, with quants from -32 to 31, comes near 16 numbers, the large ones nearest.
/// - Parameter quants: are given plus 32.
static float fit(const float *x, uint8_t *quants) {
    float extreme = 0;
    for (size_t i = 0; i < 16; i++) {
        if (fabsf(x[i]) > fabsf(extreme)) extreme = x[i];
    }
    if (fabsf(extreme) < nothing) {
        memset(quants, 0, 16);
        return 0;
    }
    float scale = 0, best = 0;
    for (int step = 0; step < 19; step++) {
        // The plain one first, then those around it.
        int offset = step == 0 ? 0 : step <= 9 ? step - 10 : step - 9;
        float inverse = -(32 + 0.1f * (float)offset) / extreme, sum_lx = 0, sum_l2 = 0;
        uint8_t candidates[16];
        for (size_t i = 0; i < 16; i++) {
            int l = clamp(inverse * x[i], -32, 31);
            candidates[i] = (uint8_t)(l + 32);
            float w = x[i] * x[i];
            sum_lx += w * x[i] * (float)l;
            sum_l2 += w * (float)l * (float)l;
        }
        if (step == 0 || (sum_l2 > 0 && sum_lx * sum_lx > best * sum_l2)) {
            memcpy(quants, candidates, 16);
            scale = sum_l2 != 0 ? sum_lx / sum_l2 : 0;
            best = scale * sum_lx;
        }
    }
    return scale;
}

/// Q4_K (`most` is 15) and Q5_K (31).
static _Bool encode_with_least(const float *x, int most, uint8_t *out) {
    uint8_t quants[SUPER], scale_bits[8], least_bits[8];
    float scales[8], leasts[8], largest_scale = 0, largest_least = 0;
    for (size_t j = 0; j < 8; j++) {
        _Bool is_q4 = most == 15;
        scales[j] = fit_with_least(x + 32 * j, most, is_q4 ? -1 : -0.5f, is_q4 ? 20 : 15, quants + 32 * j, &leasts[j]);
        if (scales[j] > largest_scale) largest_scale = scales[j];
        if (leasts[j] > largest_least) largest_least = leasts[j];
    }
    float inverse_scale = largest_scale > 0 ? 63 / largest_scale : 0, inverse_least = largest_least > 0 ? 63 / largest_least : 0;
    for (size_t j = 0; j < 8; j++) {
        scale_bits[j] = (uint8_t)clamp(inverse_scale * scales[j], 0, 63);
        least_bits[j] = (uint8_t)clamp(inverse_least * leasts[j], 0, 63);
    }
    uint16_t d = float_to_half(largest_scale / 63), dmin = float_to_half(largest_least / 63);
    for (size_t j = 0; j < 8; j++) {
        float scale = half_to_float(d) * (float)scale_bits[j], least = half_to_float(dmin) * (float)least_bits[j];
        if (scale == 0) continue;
        for (size_t i = 32 * j; i < 32 * j + 32; i++) quants[i] = (uint8_t)clamp((x[i] + least) / scale, 0, most);
    }
    store_half(d, out);
    store_half(dmin, out + 2);
    // Six bits each: those of the last four are spread over the spare ones of the first.
    uint8_t *packed = out + 4;
    for (size_t j = 0; j < 4; j++) {
        packed[j] = (uint8_t)(scale_bits[j] | scale_bits[j + 4] >> 4 << 6);
        packed[j + 4] = (uint8_t)(least_bits[j] | least_bits[j + 4] >> 4 << 6);
        packed[j + 8] = (uint8_t)((scale_bits[j + 4] & 15) | (least_bits[j + 4] & 15) << 4);
    }
    uint8_t *high = out + 16, *low = most == 31 ? out + 48 : out + 16;
    if (most == 31) memset(high, 0, 32);
    for (size_t pair = 0; pair < 4; pair++) {
        for (size_t i = 0; i < 32; i++) {
            uint8_t first = quants[64 * pair + i], second = quants[64 * pair + 32 + i];
            low[32 * pair + i] = (uint8_t)((first & 15) | (second & 15) << 4);
            if (most == 31) high[i] |= (uint8_t)(first >> 4 << (2 * pair) | second >> 4 << (2 * pair + 1));
        }
    }
    return (d & 0x7c00) != 0x7c00 && (dmin & 0x7c00) != 0x7c00;
}

static _Bool encode_q6(const float *x, uint8_t *out) {
    uint8_t quants[SUPER];
    int8_t scale_bits[16];
    float scales[16], extreme = 0;
    for (size_t j = 0; j < 16; j++) {
        scales[j] = fit(x + 16 * j, quants + 16 * j);
        if (!isfinite(scales[j])) return 0;
        if (fabsf(scales[j]) > fabsf(extreme)) extreme = scales[j];
    }
    if (fabsf(extreme) < nothing) {
        memset(out, 0, Q6_K_BYTES);
        return 1;
    }
    float inverse = -128 / extreme;
    uint16_t d = float_to_half(1 / inverse);
    for (size_t j = 0; j < 16; j++) {
        scale_bits[j] = (int8_t)clamp(inverse * scales[j], -128, 127);
        float scale = half_to_float(d) * (float)scale_bits[j];
        if (scale == 0) continue;
        for (size_t i = 16 * j; i < 16 * j + 16; i++) quants[i] = (uint8_t)(clamp(x[i] / scale, -32, 31) + 32);
    }
    put_q6_block(quants, scale_bits, d, out);
    return (d & 0x7c00) != 0x7c00;
}

_Bool swl_encode_row(swl_type type, const float *row, size_t columns, void *out) {
    uint8_t *to = out;
    for (size_t i = 0; i < columns; i++) {
        if (!isfinite(row[i])) return 0;
    }
    for (size_t i = 0; i < columns; i += SUPER, to += row_bytes(type, SUPER)) {
        _Bool fits = type == SWL_Q6_K ? encode_q6(row + i, to) : encode_with_least(row + i, type == SWL_Q5_K ? 31 : 15, to);
        if (!fits) return 0;
    }
    return 1;
}
