// Whether a process still runs.
#pragma once
#include <stdbool.h>

unsigned long long process_start(int pid); // clock ticks since boot; 0: it does not run
bool process_lives(int pid, unsigned long long started);
