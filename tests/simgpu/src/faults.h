// Errors injected from outside: "nvmlDeviceGetName=15", "nvmlDeviceGetName:1=15" for one device,
// "nvmlDeviceGetName:1.0=15" for one instance of it, "nvmlDeviceGetName:1.whole=15" for the device
// without its instances, "nvmlDeviceGetName=15@3" after three calls that succeed, "*" for every function.
#pragma once
#include "machine.h"

int injected_error(const char *function, Place place); // 0: none
