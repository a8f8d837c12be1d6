// The text of entries "name[:device]=number[@calls]", apart by commas or lines, in SIMGPU_FAULT,
// SIMGPU_VALUES and the file SIMGPU_CONTROL.
#pragma once
#include "machine.h"

enum { NAME_LENGTH = 64, EVERY_DEVICE = -1 };

typedef struct {
    char name[NAME_LENGTH];
    int device; // EVERY_DEVICE where none is named
    unsigned long long number, calls;
} Entry;

// The control file's text or, while there is no such file, SIMGPU_FAULT's. The caller frees it.
char *live_text(void);

// Reads the entry at *rest and moves behind it; false at the end. Names what it reads from in
// its complaint about an entry that it cannot read.
bool next_entry(const char *variable, const char **rest, Entry *entry);

bool entry_is_for(const Entry *entry, int device);
