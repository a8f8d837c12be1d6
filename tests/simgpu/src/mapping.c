#include "mapping.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

_Noreturn static void failed(const char *action, const char *path) {
    fprintf(stderr, "simgpu: cannot %s the state %s: %s\n", action, path, strerror(errno));
    abort();
}

// Robust: where its holder died, the next one gets the lock and is told. Every change under it is
// one store, so there is nothing to repair.
static void prepare(State *state) {
    pthread_mutexattr_t kind;
    pthread_mutexattr_init(&kind);
    pthread_mutexattr_setpshared(&kind, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&kind, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&state->lock, &kind);
    pthread_mutexattr_destroy(&kind);
    state->size = sizeof *state;
}

static State *map_file(const char *path) {
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0 || flock(file, LOCK_EX) || ftruncate(file, sizeof(State))) failed("open", path);
    State *state = mmap(NULL, sizeof *state, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (state == MAP_FAILED) failed("map", path);
    if (!state->size) prepare(state); // the file lock lets one process be the first
    if (state->size != sizeof *state) misconfigured("SIMGPU_STATE, a file of another build,", path);
    flock(file, LOCK_UN); // closing would not do it: the mapping keeps the file open
    close(file);
    return state;
}

// SIMGPU_STATE may name another file later on: a test process visits one machine after the other.
// What was mapped before stays so, as a thread may still be using it.
static State *mapped(void) {
    static pthread_mutex_t once = PTHREAD_MUTEX_INITIALIZER;
    static State *state;
    static char *mapped_path;
    const char *path = getenv("SIMGPU_STATE");
    if (!path || !*path) misconfigured("SIMGPU_STATE", "(it must name a file)");
    pthread_mutex_lock(&once);
    if (!state || strcmp(path, mapped_path)) {
        state = map_file(path);
        free(mapped_path);
        mapped_path = strdup(path);
    }
    State *current = state;
    pthread_mutex_unlock(&once);
    return current;
}

State *state_locked(void) {
    State *state = mapped();
    if (pthread_mutex_lock(&state->lock) == EOWNERDEAD) pthread_mutex_consistent(&state->lock);
    return state;
}

void state_unlock(State *state) { pthread_mutex_unlock(&state->lock); }
