#define _GNU_SOURCE
#include "landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

// The kernel's interface, spelled out here because the system's headers may be older than the kernel.
enum { CREATE_RULESET = 444, ADD_RULE = 445, RESTRICT_SELF = 446, ASK_VERSION = 1, PATH_BENEATH = 1 };

struct ruleset {
    uint64_t files;
    uint64_t network;
    uint64_t scopes;
};

struct path_beneath {
    uint64_t allowed;
    int32_t parent;
} __attribute__((packed));

static const uint64_t execute = 1 << 0, write_file = 1 << 1, read_file = 1 << 2, read_folder = 1 << 3, truncate_file = 1 << 14, device_control = 1 << 15;

/// What each version of the interface can hold back.
static struct ruleset handled_by(long version) {
    struct ruleset handled = {.files = (1 << 13) - 1};
    if (version >= 2) handled.files |= 1 << 13;  // moving between folders
    if (version >= 3) handled.files |= truncate_file;
    if (version >= 4) handled.network = 1 << 0 | 1 << 1;  // binding and connecting TCP
    if (version >= 5) handled.files |= device_control;
    if (version >= 6) handled.scopes = 1 << 0 | 1 << 1;  // abstract sockets and signals
    return handled;
}

static int allow(int ruleset, const char *path, uint64_t rights) {
    struct path_beneath rule = {.parent = open(path, O_PATH | O_CLOEXEC)};
    if (rule.parent < 0) return 0;
    struct stat status;
    int result = fstat(rule.parent, &status);
    if (result == 0) {
        uint64_t of_files = execute | write_file | read_file | truncate_file | device_control;
        rule.allowed = S_ISDIR(status.st_mode) ? rights : rights & of_files;
        result = (int)syscall(ADD_RULE, ruleset, PATH_BENEATH, &rule, 0);
    }
    close(rule.parent);
    return result;
}

int confine(char *const *readable, size_t readable_count, char *const *writable, size_t writable_count, bool network) {
    long version = syscall(CREATE_RULESET, NULL, 0, ASK_VERSION);
    if (version < 0) return errno == ENOSYS || errno == EOPNOTSUPP ? 0 : -1;
    struct ruleset handled = handled_by(version);
    if (network) handled.network = 0;
    // An older kernel knows a shorter structure, and takes a longer one only if the rest is zero, which it is here.
    int ruleset = (int)syscall(CREATE_RULESET, &handled, sizeof handled, 0);
    if (ruleset < 0) return -1;
    for (size_t i = 0; i < readable_count; i++)
        if (allow(ruleset, readable[i], execute | read_file | read_folder) != 0) return -1;
    for (size_t i = 0; i < writable_count; i++)
        if (allow(ruleset, writable[i], handled.files) != 0) return -1;
    int result = (int)syscall(RESTRICT_SELF, ruleset, 0);
    close(ruleset);
    return result;
}
