// swiftlet-launch PARENT SIGNAL MEMORY PROGRAM [ARGUMENT ...]
//
// Becomes PROGRAM, in a process that cannot outlive its supervisor. What it sets must be set between fork and exec,
// in the child, where a program with threads may run almost nothing; so a program without threads does it.
//
// PARENT   process id of the supervisor; when it is no longer our parent, we exit
// SIGNAL   number that the kernel sends us when the supervisor dies
// MEMORY   bytes of private data (RLIMIT_DATA), or 0 for no limit
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

static int fail(const char *what) {
    fprintf(stderr, "swiftlet-launch: %s: %s\n", what, strerror(errno));
    return 126;
}

int main(int count, char **arguments) {
    if (count < 5) {
        fputs("usage: swiftlet-launch PARENT SIGNAL MEMORY PROGRAM [ARGUMENT ...]\n", stderr);
        return 2;
    }
    if (prctl(PR_SET_PDEATHSIG, atoi(arguments[2])) != 0) return fail("cannot tie this process to its parent");
    // The supervisor may have died before the line above took effect.
    if (getppid() != atoi(arguments[1])) return 125;

    rlim_t memory = strtoull(arguments[3], NULL, 10);
    struct rlimit limit = {.rlim_cur = memory, .rlim_max = memory};
    if (memory > 0 && setrlimit(RLIMIT_DATA, &limit) != 0) return fail("cannot limit memory");

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return fail("cannot give up new privileges");
    // The supervisor ignores SIGPIPE and an ignored signal stays ignored over exec.
    signal(SIGPIPE, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    // Nothing but the socket and the log: no database, lock or other worker's connection.
    close_range(3, ~0U, 0);

    execvp(arguments[4], arguments + 4);
    fail(arguments[4]);
    return errno == ENOENT ? 127 : 126;
}
