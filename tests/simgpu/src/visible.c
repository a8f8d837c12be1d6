// CUDA_VISIBLE_DEVICES: numbers in any order, or UUIDs (GPU-…, also their unique beginnings, or
// MIG-…). The list is cut at the first entry that names no device; one named twice empties it.
// Numbers count the fastest device first, unless CUDA_DEVICE_ORDER is PCI_BUS_ID.
#include "visible.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "identity.h"
#include "parsing.h"
#include "startup.h"

static Place places[MAX_DEVICES];
static int count;

// The device that CUDA gives this number: SIMGPU_FASTEST comes first, the others by their bus.
static int numbered(int number) {
    const char *order = getenv("CUDA_DEVICE_ORDER"), *rest = getenv("SIMGPU_FASTEST");
    unsigned long long fastest;
    if (!rest || !*rest || (order && !strcmp(order, "PCI_BUS_ID"))) return number;
    if (!take_number(&rest, &fastest) || *rest || fastest >= (unsigned)machine_devices())
        misconfigured("SIMGPU_FASTEST", rest);
    if (number == 0) return (int)fastest;
    return number <= (int)fastest ? number - 1 : number;
}

// CUDA gives a process one instance of a device that is split: the first, unless another is named.
static Place usable(int device) { return (Place){device, machine_instances(device) ? 0 : WHOLE}; }

// The only place whose UUID begins so; false where there is none or more than one.
static bool by_uuid(const char *beginning, size_t length, Place *found) {
    int matches = 0;
    for (int device = 0; device < machine_devices(); device++) {
        for (int instance = WHOLE; instance < machine_instances(device); instance++) {
            char uuid[UUID_TEXT];
            identity_uuid_text((Place){device, instance}, uuid);
            if (strncmp(uuid, beginning, length)) continue;
            *found = instance == WHOLE ? usable(device) : (Place){device, instance};
            matches++;
        }
    }
    return matches == 1;
}

static bool by_name(const char *name, size_t length, Place *found) {
    if (length > 4 && (!strncmp(name, "GPU-", 4) || !strncmp(name, "MIG-", 4)))
        return by_uuid(name, length, found);
    unsigned long long number;
    const char *rest = name;
    if (!take_number(&rest, &number) || rest != name + length) return false;
    if (number >= (unsigned long long)machine_devices()) return false;
    *found = usable(numbered((int)number));
    return true;
}

static bool seen(Place place) {
    for (int i = 0; i < count; i++)
        if (place_within(place, places[i])) return true;
    return false;
}

static void read_variable(const char *list) {
    while (count < MAX_DEVICES) {
        list += strspn(list, " ");
        size_t length = strcspn(list, ", ");
        Place place;
        if (!by_name(list, length, &place)) return;
        if (seen(place)) {
            count = 0;
            return;
        }
        places[count++] = place;
        list += length;
        list += strspn(list, " ");
        if (!take_char(&list, ',')) return;
    }
}

static void look(void) {
    if (startup_error()) return;
    const char *list = getenv("CUDA_VISIBLE_DEVICES");
    if (list) {
        read_variable(list);
        return;
    }
    for (int number = 0; number < machine_devices(); number++)
        places[count++] = usable(numbered(number));
}

// CUDA looks once, when a process first uses it.
static void look_once(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, look);
}

int visible_count(void) {
    look_once();
    return count;
}

const Place *visible_place(int ordinal) {
    look_once();
    return ordinal >= 0 && ordinal < count ? &places[ordinal] : NULL;
}
