// The shared file, mapped, and its lock.
#pragma once
#include <pthread.h>

#include "machine.h"

enum { SLOTS = 1024 }; // contexts on the whole machine

// A process's context on one place and the bytes that it allocated there.
typedef struct {
    int pid; // 0: free
    Place place;
    unsigned long long started; // tells a process from a later one with its pid
    Bytes bytes;
} Slot;

typedef struct {
    size_t size; // of this structure once it is ready for use
    pthread_mutex_t lock;
    int slots_in_use; // the highest that ever was, plus one
    Slot slots[SLOTS];
} State;

// Maps the file that SIMGPU_STATE names and locks it.
State *state_locked(void);
void state_unlock(State *state);
