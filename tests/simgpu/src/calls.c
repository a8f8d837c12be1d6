#include "calls.h"

#include <stdio.h>

#include "faults.h"

static int users; // nvmlInit and nvmlShutdown count

int refusal(const char *function, Place place) {
    int error = injected_error(function, place);
    if (error) return error;
    return __atomic_load_n(&users, __ATOMIC_SEQ_CST) ? SUCCESS : UNINITIALIZED;
}

static Place places[MAX_DEVICES][1 + MAX_INSTANCES]; // the whole device, then its instances

Handle handle_of(Place place) {
    Place *handle = &places[place.device][place.instance - WHOLE];
    *handle = place;
    return handle;
}

static bool valid(Handle handle) {
    if (handle < places[0] || handle >= places[MAX_DEVICES]) return false;
    return handle->device < machine_devices() &&
           handle->instance < machine_instances(handle->device);
}

int handle_refusal(const char *function, Handle handle) {
    if (!valid(handle)) return refusal(function, ANY_PLACE) ?: INVALID_ARGUMENT;
    return refusal(function, *handle);
}

int nvmlInit_v2(void) {
    int error = injected_error(__func__, ANY_PLACE);
    if (!error) __atomic_add_fetch(&users, 1, __ATOMIC_SEQ_CST);
    return error;
}

int nvmlInitWithFlags(unsigned flags) {
    int error = injected_error(__func__, ANY_PLACE);
    return error ? error : nvmlInit_v2();
}

int nvmlInit(void) {
    int error = injected_error(__func__, ANY_PLACE);
    return error ? error : nvmlInit_v2();
}

int nvmlShutdown(void) {
    CALLED();
    __atomic_sub_fetch(&users, 1, __ATOMIC_SEQ_CST);
    return SUCCESS;
}

// NVML's own words, by number.
const char *nvmlErrorString(int error) {
    static const char *const words[] = {
        [0] = "Success",
        [1] = "Uninitialized",
        [2] = "Invalid Argument",
        [3] = "Not Supported",
        [4] = "Insufficient Permissions",
        [5] = "Already Initialized",
        [6] = "Not Found",
        [7] = "Insufficient Size",
        [8] = "Insufficient External Power",
        [9] = "Driver Not Loaded",
        [10] = "Timeout",
        [11] = "Interrupt Request Issue",
        [12] = "NVML Shared Library Not Found",
        [13] = "Function Not Found",
        [14] = "Corrupted infoROM",
        [15] = "GPU is lost",
        [16] = "GPU requires restart",
        [17] = "The operating system has blocked the request.",
        [18] = "RM has detected an NVML/RM version mismatch.",
        [19] = "The operation cannot be performed because the GPU is in use.",
        [20] = "Insufficient Memory",
        [21] = "No data",
        [25] = "Argument version mismatch",
    };
    int known = sizeof words / sizeof *words;
    return error >= 0 && error < known && words[error] ? words[error] : "Unknown Error";
}
