// How every function of the simulated NVML begins. __func__ is its own name, so that each can be
// made to fail (faults.h) without a list of them.
#pragma once
#include "nvml.h"

int refusal(const char *function, Place place); // an injected error, or UNINITIALIZED, or SUCCESS
int handle_refusal(const char *function, Handle handle);
Handle handle_of(Place place);

#define UNLESS_REFUSED(expression)                                                                 \
    do {                                                                                           \
        int error_of_call = (expression);                                                          \
        if (error_of_call) return error_of_call;                                                   \
    } while (0)

// Of the system.
#define CALLED() UNLESS_REFUSED(refusal(__func__, ANY_PLACE))
// Of a device that is named by its number or otherwise, not by its handle.
#define CALLED_FOR(device) UNLESS_REFUSED(refusal(__func__, (Place){device, WHOLE}))
// Of a device or a MIG device.
#define CALLED_ON(handle) UNLESS_REFUSED(handle_refusal(__func__, handle))
// Of what only the card as a whole has: its sensors, clocks, modes.
#define CALLED_ON_CARD(handle)                                                                     \
    CALLED_ON(handle);                                                                             \
    if ((handle)->instance != WHOLE) return NOT_SUPPORTED

enum { ANY_DEVICE = -1 };

#define ANY_PLACE ((Place){ANY_DEVICE, WHOLE})
