#include "startup.h"

#include <stdlib.h>

#include "identity.h"
#include "machine.h"
#include "parsing.h"

enum { OF_ONE_MAJOR_VERSION = 1000 };

static int number(const char *variable, int fallback) {
    const char *text = getenv(variable), *rest = text;
    unsigned long long value;
    if (!text || !*text) return fallback;
    if (!take_number(&rest, &value) || *rest || value > 99999) misconfigured(variable, text);
    return (int)value;
}

int startup_driver(void) { return number("SIMGPU_DRIVER", CUDA_VERSION_OF_DRIVER); }

// A driver runs what was built for its own major version of CUDA, or for an older one.
int startup_error(void) {
    bool old =
        startup_driver() / OF_ONE_MAJOR_VERSION < CUDA_VERSION_OF_DRIVER / OF_ONE_MAJOR_VERSION;
    return number("SIMGPU_CUDA_ERROR", old ? INSUFFICIENT_DRIVER : 0);
}
