// Errors injected from outside: "nvmlDeviceGetName=15", "nvmlDeviceGetName:1=15" for one device,
// "nvmlDeviceGetName=15@3" after three calls that succeed, "*" for every function.
#pragma once

int injected_error(const char *function, int device); // 0: none
