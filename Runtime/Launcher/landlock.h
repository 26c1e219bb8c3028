#pragma once

#include <stdbool.h>
#include <stddef.h>

/// Confines this process and all it starts to the given paths (https://docs.kernel.org/userspace-api/landlock.html):
/// it may read and execute what is at or below `readable`, do anything at or below `writable`, and use TCP if `network` is set.
/// It cannot signal processes outside or reach their abstract sockets. What the kernel is too old for is left open;
/// a path that does not exist is left out. Needs no_new_privs. Returns 0, or -1 with errno.
int confine(char *const *readable, size_t readable_count, char *const *writable, size_t writable_count, bool network);
