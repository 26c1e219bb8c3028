#pragma once

#include <stdbool.h>
#include <sys/types.h>

/// Binds and listens on a unix socket at `path` (replacing a stale socket file), with file permissions `mode`.
/// The descriptor is blocking, because the flag would be shared with the process that inherits it, and close-on-exec.
/// Returns the descriptor, or -errno.
int swl_unix_listen(const char *path, int backlog, mode_t mode);

/// Whether `descriptor` is a socket on which connections can be accepted.
bool swl_is_listening(int descriptor);

/// Accepts and closes every connection that waits on the listening socket, so that its callers learn at once that nobody serves it.
void swl_unix_refuse_waiting(int descriptor);

/// Connects to the unix socket at `path`, sends `question` and reads up to `expected` bytes of the answer within `timeout` milliseconds.
/// Returns how many it read, fewer when the peer closed or the time is over, or -errno.
ssize_t swl_unix_exchange(const char *path, const void *question, size_t length, void *answer, size_t expected, int timeout);

/// Takes an exclusive lock on `path`, creating it, without waiting. Returns the descriptor that holds it, or -errno.
int swl_lock_file(const char *path);

/// Whether `host` is an IPv4 address in numbers, or an IPv6 one where `isVersion6`.
bool swl_is_address(const char *host, bool isVersion6);

/// Whether TCP port `port` of `host`, an address in numbers, can be listened on. Returns 0, or -errno.
int swl_can_listen(const char *host, unsigned short port);

/// Gives `made` the name `target`, and what had that name, if anything, the name of `made`, in one step. Returns 0, or -errno.
int swl_exchange(const char *made, const char *target);

/// The name of signal `number` without "SIG", for messages; "?" where there is none.
const char *swl_signal_name(int number);

/// Which version of Landlock's interface the kernel has; 0 for none.
int swl_landlock_version(void);
