// The part of NVML's interface that is simulated: its types, as its manual gives them.
#pragma once
#include "machine.h"

typedef enum {
    SUCCESS = 0,
    UNINITIALIZED = 1,
    INVALID_ARGUMENT = 2,
    NOT_SUPPORTED = 3,
    NOT_FOUND = 6,
    INSUFFICIENT_SIZE = 7,
    ARGUMENT_VERSION_MISMATCH = 25,
} Answer; // nvmlReturn_t; errors injected from outside may have any number

typedef const Place *Handle; // nvmlDevice_t

typedef struct {
    Bytes total, free, used; // used: with what the driver keeps
} Memory;

typedef struct {
    unsigned version;
    Bytes total, reserved, free, used;
} MemoryV2;

typedef struct {
    Bytes total, free, used;
} Bar1Memory;

typedef struct {
    unsigned gpu, memory; // percent
} Utilization;

typedef struct {
    unsigned version, sensor;
    int degrees;
} TemperatureV1;

typedef struct {
    char legacy_id[16];
    unsigned domain, bus, device, ids, subsystem_ids;
    char id[32];
} PciInfo;

typedef struct {
    unsigned pid;
    Bytes bytes;
} ProcessV1;

typedef struct {
    unsigned pid;
    Bytes bytes;
    unsigned gpu_instance, compute_instance;
} Process; // of versions 2 and 3

typedef struct {
    unsigned pid;
    unsigned long long at;             // microseconds since 1970
    unsigned sm, memory, encoder, decoder; // percent
} ProcessUtilization;

typedef struct {
    unsigned multiprocessors, copy_engines, decoders, encoders, jpegs, optical_flows;
    unsigned gpu_slices, compute_slices;
    unsigned long long memory_mib;
} Attributes;

// A versioned structure begins with its size and, in the highest byte, its version.
#define VERSION_OF(type, version) ((unsigned)sizeof(type) | (unsigned)(version) << 24)
