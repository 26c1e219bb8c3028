// What this machine can do at the most, measured for benchmarks to be compared with.

#pragma once

#include <stddef.h>
#include <stdint.h>

#pragma clang assume_nonnull begin

/// Reads memory as fast as one core can. `from` is aligned to 64 bytes.
void swl_read_memory(const void *from, size_t bytes);

/// Multiplies and adds bytes as fast as one core can; returns how many products it did, 0 where this CPU has no such
/// instruction.
uint64_t swl_multiply_bytes(size_t rounds);

#pragma clang assume_nonnull end
