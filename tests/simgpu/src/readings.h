// What the card's sensors and counters show: constants, unless SIMGPU_VALUES or SIMGPU_CONTROL
// set them.
#pragma once
#include "nvml.h"

// SUCCESS, or NOT_SUPPORTED where the card has no such thing and none was set.
Answer read_value(const char *name, int device, unsigned long long *value);
Answer read_unsigned(const char *name, int device, unsigned *value);
