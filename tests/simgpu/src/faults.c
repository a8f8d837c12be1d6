#include "faults.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "settings.h"

// How often a function has been called, for any device and for each, since the entries stand.
typedef struct {
    const char *function;
    unsigned long long all, by_device[MAX_DEVICES];
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

static Calls counted(const char *text, const char *function, int device) {
    pthread_mutex_lock(&lock);
    begin_anew_with(text);
    Calls *calls = calls_of(function);
    calls->all++;
    if (device >= 0) calls->by_device[device]++;
    Calls now = *calls;
    pthread_mutex_unlock(&lock);
    return now;
}

static bool hits(const Entry *entry, const Calls *calls, int device) {
    if (strcmp(entry->name, "*") && strcmp(entry->name, calls->function)) return false;
    if (!entry_is_for(entry, device)) return false;
    bool all = entry->device == EVERY_DEVICE;
    return (all ? calls->all : calls->by_device[device]) > entry->calls;
}

int injected_error(const char *function, int device) {
    char *text = live_text();
    Calls calls = counted(text, function, device);
    const char *rest = text;
    int error = 0;
    for (Entry entry; !error && next_entry("SIMGPU_FAULT or SIMGPU_CONTROL", &rest, &entry);)
        if (hits(&entry, &calls, device)) error = (int)entry.number;
    free(text);
    return error;
}
