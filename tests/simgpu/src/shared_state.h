// Who holds how many bytes on which device, shared by all processes through the file SIMGPU_STATE.
#pragma once
#include "machine.h"

// A process with memory on a device, as NVML lists it.
typedef struct {
    int pid;
    Place place;
    Bytes bytes; // its context counted in; UNKNOWN where the driver does not tell
    bool graphics;
} Holder;

// Both open this process's context on the place if it has none yet; false: no room.
bool open_context(Place place);
bool hold_bytes(Place place, Bytes bytes);
void release_bytes(Place place, Bytes bytes);

bool has_context(Place place);
Bytes free_bytes(Place place);
Bytes used_bytes(Place place); // by processes; the driver's own part is not counted

// Allocates *holders, which the caller frees; their number is returned.
size_t list_holders(Place place, Holder **holders);
