#if defined(__x86_64__)
#include <immintrin.h>

#define SWL_TARGET "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c"
#define SWL_SUMS 16  // each takes one register
#define SWL_DOTS "simd/dots_avx512.h"
#define SWL_NAME "avx512"
#define SWL_KERNELS swl_avx512_kernels
#include "simd.h"
#endif
