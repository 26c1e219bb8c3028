#include "include/team.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

struct swl_team {
    /// The job's number, shifted by 32, plus the next task. A thread owns the task that its compare-exchange steps past; by
    /// then it knows that the job's fields, which it read before, were of that same job.
    _Atomic uint64_t ticket;
    _Atomic(swl_task) task;
    _Atomic(void *) context;
    _Atomic uint32_t tasks, done, sleepers;
    atomic_bool ending, caller_sleeps;
    pthread_mutex_t mutex;
    pthread_cond_t wake, finished;
    uint32_t helpers;
    struct helper {
        swl_team *team;
        uint32_t worker;
        pthread_t thread;
    } helper[];
};

enum { SPINS = 2000 };  // some tens of microseconds: longer than the pause between two layers' jobs, shorter than a breath
static const uint32_t CLOSED = UINT32_MAX;

static inline void pause_briefly(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static bool do_one(swl_team *team, uint32_t worker) {
    uint64_t ticket = atomic_load(&team->ticket);
    for (;;) {
        uint32_t next = (uint32_t)ticket;
        swl_task task = atomic_load(&team->task);
        void *context = atomic_load(&team->context);
        uint32_t tasks = atomic_load(&team->tasks);
        if (next >= tasks) return false;
        if (!atomic_compare_exchange_weak(&team->ticket, &ticket, ticket + 1)) continue;
        task(context, next, worker);
        if (atomic_fetch_add(&team->done, 1) + 1 == tasks && atomic_load(&team->caller_sleeps)) {
            pthread_mutex_lock(&team->mutex);
            pthread_cond_signal(&team->finished);
            pthread_mutex_unlock(&team->mutex);
        }
        return true;
    }
}

/// A helper whose processor is taken by other programs keeps its last task for milliseconds: the caller leaves them its own.
static void sleep_until_finished(swl_team *team, uint32_t tasks) {
    pthread_mutex_lock(&team->mutex);
    atomic_store(&team->caller_sleeps, true);  // before the look at `done`, as a helper writes that before its look here
    while (atomic_load(&team->done) < tasks) pthread_cond_wait(&team->finished, &team->mutex);
    atomic_store(&team->caller_sleeps, false);
    pthread_mutex_unlock(&team->mutex);
}

static void sleep_until_work(swl_team *team) {
    pthread_mutex_lock(&team->mutex);
    atomic_fetch_add(&team->sleepers, 1);  // before the look at the ticket, as the caller writes the ticket before its look here
    while (!atomic_load(&team->ending) && (uint32_t)atomic_load(&team->ticket) >= atomic_load(&team->tasks))
        pthread_cond_wait(&team->wake, &team->mutex);
    atomic_fetch_sub(&team->sleepers, 1);
    pthread_mutex_unlock(&team->mutex);
}

static void *help(void *argument) {
    struct helper *helper = argument;
    swl_team *team = helper->team;
    for (unsigned idle = 0; !atomic_load(&team->ending); idle++) {
        if (do_one(team, helper->worker)) {
            idle = 0;
        } else if (idle < SPINS) {
            pause_briefly();
        } else {
            sleep_until_work(team);
            idle = 0;
        }
    }
    return NULL;
}

static void wake_helpers(swl_team *team) {
    if (atomic_load(&team->sleepers) == 0) return;
    pthread_mutex_lock(&team->mutex);
    pthread_cond_broadcast(&team->wake);
    pthread_mutex_unlock(&team->mutex);
}

swl_team *swl_team_create(uint32_t helpers) {
    swl_team *team = calloc(1, sizeof *team + helpers * sizeof *team->helper);
    if (!team) return NULL;
    pthread_mutex_init(&team->mutex, NULL);
    pthread_cond_init(&team->wake, NULL);
    pthread_cond_init(&team->finished, NULL);
    for (; team->helpers < helpers; team->helpers++) {
        struct helper *helper = &team->helper[team->helpers];
        *helper = (struct helper){.team = team, .worker = team->helpers + 1};
        if (pthread_create(&helper->thread, NULL, help, helper) != 0) {
            swl_team_destroy(team);
            return NULL;
        }
    }
    return team;
}

void swl_team_run(swl_team *team, uint32_t tasks, swl_task task, void *context) {
    if (team->helpers == 0 || tasks <= 1) {
        for (uint32_t i = 0; i < tasks; i++) task(context, i, 0);
        return;
    }
    uint64_t job = ((atomic_load(&team->ticket) >> 32) + 1) << 32;
    atomic_store(&team->ticket, job | CLOSED);  // a late helper's compare-exchange fails from here on
    atomic_store(&team->task, task);
    atomic_store(&team->context, context);
    atomic_store(&team->tasks, tasks);
    atomic_store(&team->done, 0);
    atomic_store(&team->ticket, job);
    wake_helpers(team);
    while (do_one(team, 0)) {}
    for (unsigned spins = 0; spins < SPINS && atomic_load(&team->done) < tasks; spins++) pause_briefly();
    if (atomic_load(&team->done) < tasks) sleep_until_finished(team, tasks);
}

void swl_team_destroy(swl_team *team) {
    atomic_store(&team->ending, true);
    pthread_mutex_lock(&team->mutex);
    pthread_cond_broadcast(&team->wake);
    pthread_mutex_unlock(&team->mutex);
    for (uint32_t i = 0; i < team->helpers; i++) pthread_join(team->helper[i].thread, NULL);
    pthread_cond_destroy(&team->wake);
    pthread_cond_destroy(&team->finished);
    pthread_mutex_destroy(&team->mutex);
    free(team);
}
