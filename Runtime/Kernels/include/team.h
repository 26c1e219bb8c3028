// A team of threads that share a job's tasks. Helpers look out for work, and the caller for the last of its tasks' end, for
// some microseconds, then sleep: an idle team uses no CPU, and several on one machine leave each other theirs.

#pragma once

#include <stdint.h>

#pragma clang assume_nonnull begin

typedef struct swl_team swl_team;

/// Does one task. `worker` is 0 for the caller's thread and 1… for helpers; no two run at once with the same number.
typedef void (*swl_task)(void *context, uint32_t task, uint32_t worker);

/// Starts `helpers` threads. Null where the system has none left.
swl_team *_Nullable swl_team_create(uint32_t helpers);

/// Runs tasks 0 ..< tasks on the helpers and the calling thread; returns when all are done. One caller at a time.
void swl_team_run(swl_team *team, uint32_t tasks, swl_task task, void *context);

/// Ends the helpers and frees the team; nothing may be running.
void swl_team_destroy(swl_team *team);

#pragma clang assume_nonnull end
