// Norms and activation functions.

/// Σ x and Σ (x - mean)², each in four sums, so that none waits for the one before.
INLINE float sum_of(const float *x, size_t count) {
    floats sums[4] = {0, 0, 0, 0};
    size_t i = 0;
    for (; i + 4 * LANES <= count; i += 4 * LANES) UNROLL for (size_t j = 0; j < 4; j++) sums[j] += load(x + i + j * LANES);
    for (; i + LANES <= count; i += LANES) sums[0] += load(x + i);
    float sum = sum16((sums[0] + sums[1]) + (sums[2] + sums[3]));
    for (; i < count; i++) sum += x[i];
    return sum;
}

INLINE floats square_added(floats sum, const float *x, float mean) {
    floats difference = load(x) - mean;
    return fma16(difference, difference, sum);
}

INLINE float square_sum(const float *x, size_t count, float mean) {
    floats sums[4] = {0, 0, 0, 0};
    size_t i = 0;
    for (; i + 4 * LANES <= count; i += 4 * LANES) UNROLL for (size_t j = 0; j < 4; j++) sums[j] = square_added(sums[j], x + i + j * LANES, mean);
    for (; i + LANES <= count; i += LANES) sums[0] = square_added(sums[0], x + i, mean);
    float sum = sum16((sums[0] + sums[1]) + (sums[2] + sums[3]));
    for (; i < count; i++) sum += (x[i] - mean) * (x[i] - mean);
    return sum;
}

static void rms_norm(const float *x, const float *weight, size_t width, float epsilon, float *out) {
    float scale = 1 / sqrtf(square_sum(x, width, 0) / (float)width + epsilon);
    size_t i = 0;
    for (; i + LANES <= width; i += LANES) put(out + i, load(x + i) * scale * load(weight + i));
    for (; i < width; i++) out[i] = x[i] * scale * weight[i];
}

static void layer_norm(const float *x, const float *weight, const float *bias, size_t width, float epsilon, float *out) {
    float mean = sum_of(x, width) / (float)width, scale = 1 / sqrtf(square_sum(x, width, mean) / (float)width + epsilon);
    size_t i = 0;
    for (; i + LANES <= width; i += LANES) put(out + i, fma16((load(x + i) - mean) * scale, load(weight + i), load(bias + i)));
    for (; i < width; i++) out[i] = fmaf((x[i] - mean) * scale, weight[i], bias[i]);
}

INLINE floats silu16(floats x) { return x / (1.0f + exp16(-x)); }
INLINE floats gelu16(floats x) { return 0.5f * x * (1.0f + erf16(x * (float)M_SQRT1_2)); }

static void silu_multiply(float *gate, const float *up, size_t count) {
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) put(gate + i, silu16(load(gate + i)) * load(up + i));
    if (i < count) put_part(gate + i, silu16(load_part(gate + i, count - i)) * load_part(up + i, count - i), count - i);
}

/// 1 - 2 / (e^2x + 1), which is right at both ends.
INLINE floats tanh16(floats x) { return 1.0f - 2.0f / (exp16(x + x) + 1.0f); }
INLINE floats gelu_approximately16(floats x) { return 0.5f * x * (1.0f + tanh16(GELU_SLOPE * (x + GELU_CUBE * x * x * x))); }

static void gelu_multiply(float *gate, const float *up, size_t count) {
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) put(gate + i, gelu_approximately16(load(gate + i)) * load(up + i));
    if (i < count) put_part(gate + i, gelu_approximately16(load_part(gate + i, count - i)) * load_part(up + i, count - i), count - i);
}

static void softcap(float *x, size_t count, float cap) {
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) put(x + i, tanh16(load(x + i) / cap) * cap);
    if (i < count) put_part(x + i, tanh16(load_part(x + i, count - i) / cap) * cap, count - i);
}

static void gelu(float *x, size_t count) {
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) put(x + i, gelu16(load(x + i)));
    if (i < count) put_part(x + i, gelu16(load_part(x + i, count - i)), count - i);
}

static void add(float *x, const float *y, size_t count) {
    for (size_t i = 0; i < count; i++) x[i] += y[i];
}
