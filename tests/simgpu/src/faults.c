#include "faults.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "settings.h"

// How often a function has been called, for any device and for each place, since the entries stand.
typedef struct {
    const char *function;
    unsigned long long all, by_place[MAX_DEVICES][1 + MAX_INSTANCES]; // the whole, its instances
} Calls;

static Calls *table;
static size_t count;
static char *standing; // the text of entries that the table counts for
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void begin_anew_with(const char *text) {
    if (standing && !strcmp(standing, text)) return;
    free(standing);
    standing = strdup(text);
    count = 0;
}

static Calls *calls_of(const char *function) {
    for (size_t i = 0; i < count; i++)
        if (!strcmp(table[i].function, function)) return &table[i];
    table = realloc(table, (count + 1) * sizeof *table);
    if (!table) abort();
    table[count] = (Calls){.function = function};
    return &table[count++];
}

static Calls counted(const char *text, const char *function, Place place) {
    pthread_mutex_lock(&lock);
    begin_anew_with(text);
    Calls *calls = calls_of(function);
    calls->all++;
    if (place.device >= 0) calls->by_place[place.device][place.instance - WHOLE]++;
    Calls now = *calls;
    pthread_mutex_unlock(&lock);
    return now;
}

// The calls that an entry counts: those of every place that it is for.
static unsigned long long counted_for(const Entry *entry, const Calls *calls) {
    if (entry->device == EVERY_DEVICE) return calls->all;
    unsigned long long sum = 0;
    for (int instance = WHOLE; instance < MAX_INSTANCES; instance++)
        if (entry_is_for(entry, (Place){entry->device, instance}))
            sum += calls->by_place[entry->device][instance - WHOLE];
    return sum;
}

static bool hits(const Entry *entry, const Calls *calls, Place place) {
    if (strcmp(entry->name, "*") && strcmp(entry->name, calls->function)) return false;
    return entry_is_for(entry, place) && counted_for(entry, calls) > entry->calls;
}

int injected_error(const char *function, Place place) {
    char *text = live_text();
    Calls calls = counted(text, function, place);
    const char *rest = text;
    int error = 0;
    for (Entry entry; !error && next_entry("SIMGPU_FAULT or SIMGPU_CONTROL", &rest, &entry);)
        if (hits(&entry, &calls, place)) error = (int)entry.number;
    free(text);
    return error;
}
