#define _GNU_SOURCE
#include "CSwiftletSystem.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

int swl_unix_listen(const char *path, int backlog, mode_t mode) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) return -ENAMETOOLONG;
    strcpy(address.sun_path, path);

    int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return -errno;
    unlink(path);
    if (bind(descriptor, (struct sockaddr *)&address, sizeof address) != 0 || chmod(path, mode) != 0
        || listen(descriptor, backlog) != 0) {
        int error = errno;
        close(descriptor);
        return -error;
    }
    return descriptor;
}

bool swl_is_listening(int descriptor) {
    int accepts = 0;
    socklen_t length = sizeof accepts;
    return getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &accepts, &length) == 0 && accepts != 0;
}

void swl_unix_refuse_waiting(int descriptor) {
    struct pollfd listener = {.fd = descriptor, .events = POLLIN};
    while (poll(&listener, 1, 0) == 1) {
        int connection = accept4(descriptor, NULL, NULL, SOCK_CLOEXEC);
        if (connection < 0) return;
        close(connection);
    }
}

static long milliseconds_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

ssize_t swl_unix_exchange(const char *path, const void *question, size_t length, void *answer, size_t expected, int timeout) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) return -ENAMETOOLONG;
    strcpy(address.sun_path, path);
    int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (descriptor < 0) return -errno;

    ssize_t result = 0;
    if (connect(descriptor, (struct sockaddr *)&address, sizeof address) != 0
        || send(descriptor, question, length, MSG_NOSIGNAL) != (ssize_t)length)
        result = errno == EPIPE ? 0 : -errno;
    long end = milliseconds_now() + timeout;
    while (result >= 0 && (size_t)result < expected) {
        struct pollfd peer = {.fd = descriptor, .events = POLLIN};
        long left = end - milliseconds_now();
        if (left <= 0 || poll(&peer, 1, left) <= 0) break;
        ssize_t count = recv(descriptor, (char *)answer + result, expected - result, 0);
        if (count <= 0) break;
        result += count;
    }
    close(descriptor);
    return result;
}

int swl_lock_file(const char *path) {
    int descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (descriptor < 0) return -errno;
    if (flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
        int error = errno;
        close(descriptor);
        return -error;
    }
    return descriptor;
}

bool swl_is_address(const char *host, bool isVersion6) {
    struct in6_addr address;  // has room for the other kind, too
    return inet_pton(isVersion6 ? AF_INET6 : AF_INET, host, &address) == 1;
}

int swl_can_listen(const char *host, unsigned short port) {
    struct sockaddr_in version4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 version6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    bool is6 = inet_pton(AF_INET6, host, &version6.sin6_addr) == 1;
    if (!is6 && inet_pton(AF_INET, host, &version4.sin_addr) != 1) return -EINVAL;

    int descriptor = socket(is6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return -errno;
    int yes = 1;
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    // As nginx does: `[::]` is every address of version 6 and none of version 4.
    if (is6) setsockopt(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof yes);
    int bound = is6 ? bind(descriptor, (struct sockaddr *)&version6, sizeof version6)
                    : bind(descriptor, (struct sockaddr *)&version4, sizeof version4);
    int result = bound == 0 && listen(descriptor, 1) == 0 ? 0 : -errno;
    close(descriptor);
    return result;
}

int swl_exchange(const char *made, const char *target) {
    if (renameat2(AT_FDCWD, made, AT_FDCWD, target, RENAME_EXCHANGE) == 0) return 0;
    if (errno == ENOENT && rename(made, target) == 0) return 0;
    return -errno;
}

const char *swl_signal_name(int number) {
    const char *name = sigabbrev_np(number);
    return name ? name : "?";
}

int swl_landlock_version(void) {
    // landlock_create_ruleset(2) with LANDLOCK_CREATE_RULESET_VERSION, by number because the system's headers may not know it.
    long version = syscall(444, NULL, 0, 1);
    return version > 0 ? (int)version : 0;
}
