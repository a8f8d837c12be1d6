// What this process has allocated on its devices, found by address. Safe to use from any thread.
#pragma once
#include "machine.h"

typedef struct {
    char *start;
    size_t bytes;
    int ordinal; // of the device, as CUDA numbers it here
} Allocation;

void allocations_add(Allocation allocation);
bool allocations_remove(const void *start, Allocation *removed);
bool allocations_containing(const void *address, Allocation *found);
