#include "machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parsing.h"

_Noreturn void misconfigured(const char *variable, const char *text) {
    fprintf(stderr, "simgpu: cannot read %s at: %.80s\n", variable, text);
    abort();
}

static Bytes number(const char *variable, Bytes fallback, Bytes largest) {
    const char *text = getenv(variable), *rest = text;
    unsigned long long value;
    if (!text || !*text) return fallback;
    if (!take_number(&rest, &value) || *rest || value > largest) misconfigured(variable, text);
    return value;
}

Bytes machine_bytes(const char *variable) { return number(variable, 0, UNKNOWN); }

int machine_devices(void) { return (int)number("SIMGPU_DEVICES", 2, MAX_DEVICES); }

const char *machine_entry(const char *variable, int device, size_t *length) {
    const char *text = getenv(variable);
    for (int at = 0; text && *text; at++) {
        *length = strcspn(text, ",");
        if (at == device) return text;
        text += *length;
        if (*text) text++;
    }
    return NULL;
}

// A device's own bytes; what is not told of it is told of all devices.
static Bytes device_total(int device) {
    size_t length;
    const char *all = getenv("SIMGPU_TOTAL");
    const char *entry = machine_entry("SIMGPU_TOTAL", device, &length);
    if (!entry && all && strchr(all, ',')) misconfigured("SIMGPU_TOTAL for each device", all);
    if (!entry) return number("SIMGPU_TOTAL", 8 * GIB, UNKNOWN);
    unsigned long long bytes;
    const char *rest = entry;
    if (!take_number(&rest, &bytes) || rest != entry + length) misconfigured("SIMGPU_TOTAL", entry);
    return bytes;
}

int machine_instances(int device) {
    const char *rest = getenv("SIMGPU_MIG");
    while (rest && *rest) {
        const char *entry = rest;
        unsigned long long split, instances;
        bool read = take_number(&rest, &split) && take_char(&rest, ':') &&
                    take_number(&rest, &instances) && take_end_of_entry(&rest);
        if (!read || instances > MAX_INSTANCES) misconfigured("SIMGPU_MIG", entry);
        if ((int)split == device) return (int)instances;
    }
    return 0;
}

static Bytes share(Bytes of_device, Place place) {
    return place.instance == WHOLE ? of_device : of_device / machine_instances(place.device);
}

Bytes machine_capacity(Place place) {
    return share(device_total(place.device), place);
}

Bytes machine_reserved(Place place) {
    Bytes reserved = share(DRIVER_RESERVED, place), capacity = machine_capacity(place);
    return reserved < capacity ? reserved : capacity;
}

bool place_within(Place inner, Place outer) {
    return inner.device == outer.device &&
           (outer.instance == WHOLE || outer.instance == inner.instance);
}

// pid:device[.instance]:bytes[:G], where bytes "n" are not told
bool next_other(const char **rest, Other *other) {
    if (!*rest) *rest = getenv("SIMGPU_OTHERS");
    if (!*rest || !**rest) return false;
    const char *entry = *rest;
    unsigned long long pid, device, instance = 0;
    bool read = take_number(rest, &pid) && take_char(rest, ':') && take_number(rest, &device);
    if (read && take_char(rest, '.')) read = take_number(rest, &instance);
    read = read && take_char(rest, ':');
    other->bytes = UNKNOWN;
    if (read && !take_char(rest, 'n')) read = take_number(rest, &other->bytes);
    other->graphics = take_char(rest, ':') && take_char(rest, 'G');
    if (!read || !take_end_of_entry(rest)) misconfigured("SIMGPU_OTHERS", entry);
    other->pid = (int)pid;
    other->place.device = (int)device;
    other->place.instance = machine_instances((int)device) ? (int)instance : WHOLE;
    return true;
}

// pid:device:sm:memory
bool next_share(const char **rest, Share *share) {
    if (!*rest) *rest = getenv("SIMGPU_SHARES");
    if (!*rest || !**rest) return false;
    const char *entry = *rest;
    unsigned long long pid, device, sm, memory;
    bool read = take_number(rest, &pid) && take_char(rest, ':') && take_number(rest, &device) &&
                take_char(rest, ':') && take_number(rest, &sm) && take_char(rest, ':') &&
                take_number(rest, &memory);
    if (!read || !take_end_of_entry(rest)) misconfigured("SIMGPU_SHARES", entry);
    *share = (Share){(int)pid, (int)device, (unsigned)sm, (unsigned)memory};
    return true;
}
