#pragma once

#include "include/kernels.h"

extern const swl_kernels swl_portable_kernels;
#if defined(__x86_64__)
extern const swl_kernels swl_avx2_kernels;
extern const swl_kernels swl_avx512_kernels;
#endif
