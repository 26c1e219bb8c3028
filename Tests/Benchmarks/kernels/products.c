// How near packed products come to what one core can do: read bandwidth for few tokens, byte multiplications for many.
//
//   clang -O3 -I Runtime/Kernels/include Tests/Benchmarks/kernels/products.c Runtime/Kernels/*.c -lm -lpthread -o products && ./products
//
// Times are of the thread's own processor, so that a busy machine disturbs them less. Each line is the median of 5 rounds.

#include <kernels.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROUNDS = 5, COLUMNS = 2048, ROWS = 65536 };

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static int ascending(const void *a, const void *b) { return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b); }

static double median(double *values) {
    qsort(values, ROUNDS, sizeof *values, ascending);
    return values[ROUNDS / 2];
}

#if defined(__x86_64__)
__attribute__((target("avx512f"))) static double read_seconds(const char *from, size_t bytes) {
    typedef long long vector __attribute__((vector_size(64)));
    double seconds[ROUNDS];
    for (int round = 0; round < ROUNDS; round++) {
        vector sums[4] = {0};
        double start = now();
        for (const vector *v = (const vector *)from, *end = v + bytes / sizeof *v; v < end; v += 4)
            for (int i = 0; i < 4; i++) sums[i] ^= v[i];
        vector sum = sums[0] ^ sums[1] ^ sums[2] ^ sums[3];
        __asm__ volatile("" : : "v"(sum));
        seconds[round] = now() - start;
    }
    return median(seconds);
}

__attribute__((target("avx512f,avx512vnni"))) static double multiplications_per_second(void) {
    typedef int vector __attribute__((vector_size(64)));
    const long steps = 2000000;
    double seconds[ROUNDS];
    for (int round = 0; round < ROUNDS; round++) {
        vector a = {0}, b = a, c = a, d = a, e = a, f = a, g = a, h = a, x = a;
        double start = now();
        for (long i = 0; i < steps; i++)
            __asm__ volatile("vpdpbusd %8, %8, %0\n vpdpbusd %8, %8, %1\n vpdpbusd %8, %8, %2\n vpdpbusd %8, %8, %3\n"
                             "vpdpbusd %8, %8, %4\n vpdpbusd %8, %8, %5\n vpdpbusd %8, %8, %6\n vpdpbusd %8, %8, %7\n"
                             : "+v"(a), "+v"(b), "+v"(c), "+v"(d), "+v"(e), "+v"(f), "+v"(g), "+v"(h) : "v"(x));
        seconds[round] = now() - start;
    }
    return (double)steps * 8 * 64 / median(seconds);
}
#endif

int main(void) {
    const struct { swl_type type; const char *name; } types[] = {
        {SWL_Q8_0, "Q8_0"}, {SWL_Q4_0, "Q4_0"}, {SWL_Q4_K, "Q4_K"}, {SWL_Q5_K, "Q5_K"}, {SWL_Q6_K, "Q6_K"}};
    const size_t counts[] = {1, 2, 4, 8, 64, 256};
    const swl_kernels *kernels = swl_best_kernels();
    size_t most = swl_packed_bytes(SWL_Q8_0, ROWS, COLUMNS), panels = ROWS / SWL_PANEL;
    uint8_t *weights = aligned_alloc(4096, (most + 4095) / 4096 * 4096 + 65536);
    float *x = malloc(256 * COLUMNS * sizeof *x), *out = malloc((size_t)256 * ROWS * sizeof *out);
    if (!weights || !x || !out) return 1;
    for (size_t i = 0; i < most; i++) weights[i] = (uint8_t)(i * 2654435761u >> 26);
    for (size_t i = 0; i < (size_t)256 * COLUMNS; i++) x[i] = (float)((i * 2654435761u >> 16) % 2001) / 1000 - 1;
    memset(out, 0, (size_t)256 * ROWS * sizeof *out);
    double bandwidth = 0, peak = 0;
#if defined(__x86_64__)
    if (strcmp(kernels->name, "avx512") == 0) {
        bandwidth = (double)(most / 256 * 256) / read_seconds((char *)weights, most / 256 * 256);
        peak = multiplications_per_second();
        printf("this core reads %.1f GB/s and multiplies %.0f G bytes/s\n", bandwidth / 1e9, peak / 1e9);
    }
#endif
    printf("%-5s %6s %8s %6s %10s %6s\n", "type", "tokens", "GB/s", "roof", "G MAC/s", "roof");
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        for (size_t j = 0; j < sizeof counts / sizeof *counts; j++) {
            size_t count = counts[j], bytes = swl_packed_bytes(types[i].type, ROWS, COLUMNS);
            uint8_t *tiles = malloc(swl_tiles_bytes(types[i].type, COLUMNS, count));
            if (!tiles) return 1;
            double seconds[ROUNDS];
            for (int round = 0; round < ROUNDS; round++) {
                size_t used = count > 8 ? panels / 8 : panels;
                double start = now();
                for (size_t t = 0; t < swl_tile_count(count); t++) {
                    swl_tile tile = swl_tile_at(count, t);
                    kernels->quantize(types[i].type, x, COLUMNS, tile, tiles + tile.first * swl_tiles_bytes(types[i].type, COLUMNS, 1));
                }
                kernels->packed_matmul(types[i].type, weights, ROWS, COLUMNS, 0, used, tiles, count, out, ROWS);
                seconds[round] = (now() - start) * (double)panels / (double)used;
            }
            double time = median(seconds), rate = (double)bytes / time, products = (double)ROWS * COLUMNS * (double)count / time;
            printf("%-5s %6zu %8.1f %5.0f%% %10.0f %5.0f%%\n", types[i].name, count, rate / 1e9, bandwidth ? 100 * rate / bandwidth : 0,
                   products / 1e9, peak ? 100 * products / peak : 0);
            free(tiles);
        }
    }
    return 0;
}
