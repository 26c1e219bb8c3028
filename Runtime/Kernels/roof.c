// What this machine can do at the most, measured for benchmarks to be compared with.

#include "include/roof.h"

#if defined(__x86_64__)
__attribute__((target("avx512f"))) static void read_wide(const void *from, size_t bytes) {
    typedef int64_t vector __attribute__((vector_size(64)));
    vector sums[4] = {0};
    for (const vector *at = from, *end = at + bytes / sizeof *at; at + 4 <= end; at += 4)
        for (int i = 0; i < 4; i++) sums[i] ^= at[i];
    vector sum = sums[0] ^ sums[1] ^ sums[2] ^ sums[3];
    __asm__ volatile("" : : "v"(sum));
}

__attribute__((target("avx512f,avx512vnni"))) static void multiply_wide(size_t rounds) {
    typedef int32_t vector __attribute__((vector_size(64)));
    vector a = {0}, b = a, c = a, d = a, e = a, f = a, g = a, h = a, x = a;
    for (size_t i = 0; i < rounds; i++)
        __asm__ volatile("vpdpbusd %8, %8, %0\n vpdpbusd %8, %8, %1\n vpdpbusd %8, %8, %2\n vpdpbusd %8, %8, %3\n"
                         "vpdpbusd %8, %8, %4\n vpdpbusd %8, %8, %5\n vpdpbusd %8, %8, %6\n vpdpbusd %8, %8, %7\n"
                         : "+v"(a), "+v"(b), "+v"(c), "+v"(d), "+v"(e), "+v"(f), "+v"(g), "+v"(h)
                         : "v"(x));
}
#endif

void swl_read_memory(const void *from, size_t bytes) {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f")) return read_wide(from, bytes);
#endif
    uint64_t sums[8] = {0};
    const uint64_t *at = from;
    for (size_t i = 0; i + 8 <= bytes / 8; i += 8)
        for (int j = 0; j < 8; j++) sums[j] ^= at[i + j];
    for (int j = 0; j < 8; j++) __asm__ volatile("" : : "r"(sums[j]));
}

uint64_t swl_multiply_bytes(size_t rounds) {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vnni")) {
        multiply_wide(rounds);
        return (uint64_t)rounds * 8 * 64;
    }
#endif
    return 0;
}
