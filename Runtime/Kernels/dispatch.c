#include "builds.h"

#include <string.h>

const swl_kernels *swl_kernels_named(const char *name) {
    if (strcmp(name, "portable") == 0) return &swl_portable_kernels;
#if defined(__x86_64__)
    __builtin_cpu_init();
    _Bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
    _Bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                   __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
                   __builtin_cpu_supports("avx512vnni");
    if (avx2 && strcmp(name, "avx2") == 0) return &swl_avx2_kernels;
    if (avx512 && strcmp(name, "avx512") == 0) return &swl_avx512_kernels;
#endif
    return NULL;
}

const swl_kernels *swl_best_kernels(void) {
    const swl_kernels *kernels = swl_kernels_named("avx512");
    if (!kernels) kernels = swl_kernels_named("avx2");
    return kernels ? kernels : &swl_portable_kernels;
}
