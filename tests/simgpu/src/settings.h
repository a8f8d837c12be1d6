// The text of entries "name[:device[.instance]]=number[@calls]", apart by commas or lines, in
// SIMGPU_FAULT, SIMGPU_VALUES and the file SIMGPU_CONTROL. An instance "whole" is a device alone,
// without the instances that it is split into.
#pragma once
#include "machine.h"

enum { NAME_LENGTH = 64, EVERY_DEVICE = -1, EVERY_INSTANCE = -2 };

typedef struct {
    char name[NAME_LENGTH];
    int device;   // EVERY_DEVICE where none is named
    int instance; // EVERY_INSTANCE, with WHOLE, where none is named
    unsigned long long number, calls;
} Entry;

// The control file's text or, while there is no such file, SIMGPU_FAULT's. The caller frees it.
char *live_text(void);

// Reads the entry at *rest and moves behind it; false at the end. Names what it reads from in
// its complaint about an entry that it cannot read.
bool next_entry(const char *variable, const char **rest, Entry *entry);

bool entry_is_for(const Entry *entry, Place place);
