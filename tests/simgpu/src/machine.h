// The simulated machine as its environment describes it: devices, their memory, MIG instances,
// other processes.
#pragma once
#include <stdbool.h>
#include <stddef.h>

typedef unsigned long long Bytes;

#define MIB ((Bytes)1 << 20)
#define GIB ((Bytes)1 << 30)

enum {
    MAX_DEVICES = 16,
    MAX_INSTANCES = 7, // of MIG, on one device
    WHOLE = -1,        // a device that is not split, or all of one that is
};

#define CONTEXT         (510 * MIB) // what a CUDA context takes beside the allocator
#define DRIVER_RESERVED (600 * MIB) // what the driver keeps of each device

// Where memory is: a device by its NVML number, and one of its MIG instances or WHOLE.
typedef struct {
    int device, instance;
} Place;

// A process that the machine shows without running it.
typedef struct {
    int pid;
    Place place;
    Bytes bytes;   // UNKNOWN where the driver does not tell
    bool graphics; // draws; all others compute
} Other;

#define UNKNOWN (~(Bytes)0)

int machine_devices(void);
int machine_instances(int device); // MIG instances; 0 where MIG is off
// What a list apart by commas says of a device, as long as *length; NULL where it says nothing.
const char *machine_entry(const char *variable, int device, size_t *length);
Bytes machine_capacity(Place place);
Bytes machine_reserved(Place place);
Bytes machine_bytes(const char *variable); // a size that a variable tells, 0 where it is not set
bool place_within(Place inner, Place outer);

// Walks SIMGPU_OTHERS: start with *rest NULL; false at the end.
bool next_other(const char **rest, Other *other);

// What a process uses of a device, in percent of the time.
typedef struct {
    int pid, device;
    unsigned sm, memory;
} Share;

// Walks SIMGPU_SHARES in the same way.
bool next_share(const char **rest, Share *share);

// Says what is wrong with the simulation's variables and ends the process: a typing error in a test
// must not pass for a healthy machine.
_Noreturn void misconfigured(const char *variable, const char *text);
