// swiftlet-launch OPTION ... -- PROGRAM [ARGUMENT ...]
//
// Becomes PROGRAM, in a process that cannot outlive its supervisor and may do only what it is given. What it sets must be
// set between fork and exec, in the child, where a program with threads may run almost nothing; so a program without threads does it.
//
// --parent PID      of the supervisor; when it is no longer our parent, we exit
// --signal NUMBER   that the kernel sends us when the supervisor dies
// --memory BYTES    of private data, at most
// --members FILE    of the memory group (cgroup v2) that we join
// --user UID        whose rights we have, with the group of the same number, and no others
// --group GID       one more group; may be repeated
// --powerless      give up root's rights, and stay root by name
// --batch           it waits its turn rather than interrupt who wakes it (SCHED_BATCH)
// --read PATH       what may be read and executed with all below it; may be repeated. From the first on, nothing else may be.
// --write PATH      what may be changed with all below it; may be repeated
// --network         TCP may be used although reading is confined
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "landlock.h"

enum { MOST = 256 };

struct options {
    pid_t parent;
    int death_signal;
    rlim_t memory;
    const char *members;
    uid_t user;
    bool network, powerless, batch;
    gid_t groups[MOST];
    char *readable[MOST], *writable[MOST];
    size_t group_count, readable_count, writable_count;
};

static int fail(const char *what) {
    fprintf(stderr, "swiftlet-launch: %s: %s\n", what, strerror(errno));
    return 126;
}

static bool parse(int count, char **arguments, struct options *options) {
    static const struct option known[] = {
        {"parent", 1, NULL, 'p'}, {"signal", 1, NULL, 's'}, {"memory", 1, NULL, 'm'}, {"members", 1, NULL, 'c'}, {"user", 1, NULL, 'u'}, {"group", 1, NULL, 'g'},
        {"read", 1, NULL, 'r'},   {"write", 1, NULL, 'w'},  {"network", 0, NULL, 'n'}, {"powerless", 0, NULL, 'x'}, {"batch", 0, NULL, 'b'}, {0},
    };
    int option;
    while ((option = getopt_long(count, arguments, "+", known, NULL)) != -1) {
        if (options->group_count == MOST || options->readable_count == MOST || options->writable_count == MOST) return false;
        switch (option) {
        case 'p': options->parent = atoi(optarg); break;
        case 's': options->death_signal = atoi(optarg); break;
        case 'm': options->memory = strtoull(optarg, NULL, 10); break;
        case 'c': options->members = optarg; break;
        case 'u': options->user = strtoul(optarg, NULL, 10); break;
        case 'g': options->groups[options->group_count++] = strtoul(optarg, NULL, 10); break;
        case 'r': options->readable[options->readable_count++] = optarg; break;
        case 'w': options->writable[options->writable_count++] = optarg; break;
        case 'n': options->network = true; break;
        case 'x': options->powerless = true; break;
        case 'b': options->batch = true; break;
        default: return false;
        }
    }
    return optind < count && options->parent > 0;
}

static int become(const struct options *options) {
    if (options->user == 0 && !options->powerless) return 0;
    if (setgroups(options->group_count, options->groups) != 0) return -1;
    if (options->powerless) {
        // Without the bounding set, a program that root starts has no rights but those of the owner of its files.
        for (int right = 0; prctl(PR_CAPBSET_READ, right) >= 0; right++)
            if (prctl(PR_CAPBSET_DROP, right) != 0) return -1;
        return 0;
    }
    if (setresgid(options->user, options->user, options->user) != 0) return -1;
    return setresuid(options->user, options->user, options->user);
}

static int limit(int resource, rlim_t most) {
    struct rlimit limit = {.rlim_cur = most, .rlim_max = most};
    return setrlimit(resource, &limit);
}

static int join(const char *members) {
    int file = open(members, O_WRONLY | O_CLOEXEC);
    if (file < 0) return -1;
    // 0 is who writes it.
    int result = write(file, "0", 1) == 1 ? 0 : -1;
    close(file);
    return result;
}

int main(int count, char **arguments) {
    struct options options = {.death_signal = SIGKILL};
    if (!parse(count, arguments, &options)) {
        fputs("usage: swiftlet-launch --parent PID [OPTION ...] -- PROGRAM [ARGUMENT ...]\n", stderr);
        return 2;
    }
    if (options.memory > 0 && limit(RLIMIT_DATA, options.memory) != 0) return fail("cannot limit memory");
    if (options.members != NULL && join(options.members) != 0) return fail("cannot join the memory group");
    // A user of its own counts its threads alone; this many are an accident.
    if (options.user != 0 && limit(RLIMIT_NPROC, 4096) != 0) return fail("cannot limit threads");
    // A wish: where it may not be had, nothing is lost.
    if (options.batch) sched_setscheduler(0, SCHED_BATCH, &(struct sched_param){0});
    if (limit(RLIMIT_CORE, 0) != 0) return fail("cannot limit core dumps");

    if (become(&options) != 0) return fail("cannot become another user");
    // After the change of user, which would clear it.
    if (prctl(PR_SET_PDEATHSIG, options.death_signal) != 0) return fail("cannot tie this process to its parent");
    // The supervisor may have died before the line above took effect.
    if (getppid() != options.parent) return 125;

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return fail("cannot give up new privileges");
    if (options.readable_count > 0
        && confine(options.readable, options.readable_count, options.writable, options.writable_count, options.network) != 0)
        return fail("cannot confine this process");
    // The supervisor ignores SIGPIPE and an ignored signal stays ignored over exec.
    signal(SIGPIPE, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    // Nothing but the socket and the log: no database, lock or other worker's connection.
    close_range(3, ~0U, 0);

    execvp(arguments[optind], arguments + optind);
    int error = errno;
    fail(arguments[optind]);
    return error == ENOENT ? 127 : 126;
}
