// Whether CUDA starts on this machine: the driver's version, and the error that it starts with.
#pragma once

enum { INSUFFICIENT_DRIVER = 35 }; // of the runtime: the driver knows only older versions of CUDA

int startup_driver(void); // the newest CUDA that the driver knows, 13000 for 13.0
int startup_error(void);  // what the first call of CUDA says, 0 where CUDA starts
