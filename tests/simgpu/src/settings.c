#include "settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parsing.h"

static char *file_text(const char *path) {
    FILE *file = fopen(path, "r");
    if (!file) return NULL;
    char *text = NULL;
    size_t room = 0;
    if (getdelim(&text, &room, 0, file) < 0) { // up to a zero byte: all of it
        free(text);
        text = strdup(""); // an empty file takes all faults away
    }
    fclose(file);
    return text;
}

char *live_text(void) {
    const char *control = getenv("SIMGPU_CONTROL"), *faults = getenv("SIMGPU_FAULT");
    char *text = control ? file_text(control) : NULL;
    if (!text) text = strdup(faults ? faults : "");
    if (!text) abort();
    return text;
}

static bool take_name(const char **rest, char name[NAME_LENGTH]) {
    size_t length = strcspn(*rest, ":=,\n");
    if (!length || length >= NAME_LENGTH) return false;
    memcpy(name, *rest, length);
    name[length] = 0;
    *rest += length;
    return true;
}

// Behind a device's number: one of its instances, or the device alone.
static bool take_instance(const char **rest, int *instance) {
    unsigned long long number;
    if (!strncmp(*rest, "whole", 5)) {
        *rest += 5;
        *instance = WHOLE;
        return true;
    }
    if (!take_number(rest, &number) || number >= MAX_INSTANCES) return false;
    *instance = (int)number;
    return true;
}

static bool take_entry(const char **rest, Entry *entry) {
    if (!take_name(rest, entry->name)) return false;
    entry->device = EVERY_DEVICE;
    entry->instance = EVERY_INSTANCE;
    entry->calls = 0;
    if (take_char(rest, ':')) {
        unsigned long long device;
        if (!take_number(rest, &device) || device >= MAX_DEVICES) return false;
        entry->device = (int)device;
        if (take_char(rest, '.') && !take_instance(rest, &entry->instance)) return false;
    }
    if (!take_char(rest, '=') || !take_number(rest, &entry->number)) return false;
    if (take_char(rest, '@') && !take_number(rest, &entry->calls)) return false;
    return take_end_of_entry(rest);
}

bool next_entry(const char *variable, const char **rest, Entry *entry) {
    *rest += strspn(*rest, ",\n");
    if (!**rest) return false;
    const char *start = *rest;
    if (!take_entry(rest, entry)) misconfigured(variable, start);
    return true;
}

bool entry_is_for(const Entry *entry, Place place) {
    if (entry->device == EVERY_DEVICE) return true;
    if (entry->device != place.device) return false;
    return entry->instance == EVERY_INSTANCE || entry->instance == place.instance;
}
