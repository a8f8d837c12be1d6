#include "shared_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lifetime.h"
#include "mapping.h"

static bool held(const Slot *slot) { return slot->pid != 0; }

// A process that ended, killed or not, has given everything back: the driver sees to that.
static void reclaim_the_dead(State *state) {
    for (int i = 0; i < state->slots_in_use; i++) {
        Slot *slot = &state->slots[i];
        if (held(slot) && !process_lives(slot->pid, slot->started)) slot->pid = 0;
    }
}

static State *enter(void) {
    State *state = state_locked();
    reclaim_the_dead(state);
    return state;
}

static Slot *slot_of_this_process(State *state, Place place) {
    for (int i = 0; i < state->slots_in_use; i++) {
        Slot *slot = &state->slots[i];
        if (slot->pid == getpid() && slot->place.device == place.device &&
            slot->place.instance == place.instance)
            return slot;
    }
    return NULL;
}

static Bytes used_within(State *state, Place place) {
    Bytes sum = 0;
    for (int i = 0; i < state->slots_in_use; i++) {
        const Slot *slot = &state->slots[i];
        if (held(slot) && place_within(slot->place, place)) sum += CONTEXT + slot->bytes;
    }
    Other other;
    for (const char *rest = NULL; next_other(&rest, &other);)
        if (place_within(other.place, place) && other.bytes != UNKNOWN) sum += other.bytes;
    return sum;
}

static Bytes free_within(State *state, Place place) {
    Bytes taken = machine_reserved(place) + used_within(state, place);
    Bytes capacity = machine_capacity(place);
    return taken < capacity ? capacity - taken : 0;
}

// Each context is a line of the file SIMGPU_CONTEXTS, so that one that is gone again was not
// unseen.
static void write_down(Place place) {
    const char *path = getenv("SIMGPU_CONTEXTS");
    FILE *file = path && *path ? fopen(path, "a") : NULL;
    if (!file) return;
    fprintf(file, "%d %d\n", getpid(), place.device);
    fclose(file);
}

static Slot *new_slot(State *state, Place place) {
    int i = 0;
    while (i < state->slots_in_use && held(&state->slots[i])) i++;
    if (i == SLOTS) {
        fprintf(stderr, "simgpu: more than %d contexts\n", SLOTS);
        abort();
    }
    if (i == state->slots_in_use) state->slots_in_use++;
    Slot *slot = &state->slots[i];
    slot->place = place;
    slot->bytes = 0;
    slot->started = process_start(getpid());
    slot->pid = getpid(); // last: now it counts
    write_down(place);
    return slot;
}

static Slot *context_of_this_process(State *state, Place place) {
    Slot *slot = slot_of_this_process(state, place);
    if (!slot && free_within(state, place) >= CONTEXT) slot = new_slot(state, place);
    return slot;
}

bool open_context(Place place) {
    State *state = enter();
    bool open = context_of_this_process(state, place) != NULL;
    state_unlock(state);
    return open;
}

bool has_context(Place place) {
    State *state = enter();
    bool has = slot_of_this_process(state, place) != NULL;
    state_unlock(state);
    return has;
}

bool hold_bytes(Place place, Bytes bytes) {
    State *state = enter();
    Slot *slot = context_of_this_process(state, place);
    bool fits = slot && bytes <= free_within(state, place);
    if (fits) slot->bytes += bytes;
    state_unlock(state);
    return fits;
}

void release_bytes(Place place, Bytes bytes) {
    State *state = enter();
    Slot *slot = slot_of_this_process(state, place);
    if (slot)
        slot->bytes -= bytes; // a forked child frees what its parent holds: nothing of its own
    state_unlock(state);
}

Bytes free_bytes(Place place) {
    State *state = enter();
    Bytes bytes = free_within(state, place);
    state_unlock(state);
    return bytes;
}

Bytes used_bytes(Place place) {
    State *state = enter();
    Bytes bytes = used_within(state, place);
    state_unlock(state);
    return bytes;
}

static size_t count_others(Place place) {
    size_t count = 0;
    Other other;
    for (const char *rest = NULL; next_other(&rest, &other);)
        count += place_within(other.place, place);
    return count;
}

size_t list_holders(Place place, Holder **holders) {
    State *state = enter();
    size_t count = 0, most = count_others(place) + (size_t)state->slots_in_use;
    *holders = malloc((most + 1) * sizeof **holders);
    if (!*holders) abort();
    for (int i = 0; i < state->slots_in_use; i++) {
        const Slot *slot = &state->slots[i];
        if (held(slot) && place_within(slot->place, place))
            (*holders)[count++] = (Holder){slot->pid, slot->place, CONTEXT + slot->bytes, false};
    }
    state_unlock(state);
    Other other;
    for (const char *rest = NULL; next_other(&rest, &other);)
        if (place_within(other.place, place))
            (*holders)[count++] = (Holder){other.pid, other.place, other.bytes, other.graphics};
    return count;
}
