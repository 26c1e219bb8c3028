#if defined(__x86_64__)
#include <immintrin.h>

#define SWL_TARGET "avx2,fma,f16c"
#define SWL_SUMS 4  // each takes two registers
#define SWL_DOTS "simd/dots_avx2.h"
#define SWL_NAME "avx2"
#define SWL_KERNELS swl_avx2_kernels
#include "simd.h"
#endif
