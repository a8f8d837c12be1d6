// NVML: memory. Used and free are taken from one look at the shared state, so that they always
// add up to the total.
#include "calls.h"
#include "shared_state.h"

static MemoryV2 memory_of(Place place) {
    MemoryV2 memory = {.total = machine_capacity(place), .reserved = machine_reserved(place)};
    Bytes available = memory.total - memory.reserved, used = used_bytes(place);
    memory.used = used < available ? used : available;
    memory.free = available - memory.used;
    return memory;
}

int nvmlDeviceGetMemoryInfo(Handle device, Memory *memory) {
    CALLED_ON(device);
    MemoryV2 now = memory_of(*device);
    *memory = (Memory){now.total, now.free, now.reserved + now.used};
    return SUCCESS;
}

int nvmlDeviceGetMemoryInfo_v2(Handle device, MemoryV2 *memory) {
    CALLED_ON(device);
    unsigned version = memory->version;
    if (version != VERSION_OF(MemoryV2, 2)) return ARGUMENT_VERSION_MISMATCH;
    *memory = memory_of(*device);
    memory->version = version;
    return SUCCESS;
}

// The window through which the host sees a device's memory.
int nvmlDeviceGetBAR1MemoryInfo(Handle device, Bar1Memory *memory) {
    CALLED_ON(device);
    *memory = (Bar1Memory){.total = 128 * GIB, .free = 128 * GIB - MIB, .used = MIB};
    return SUCCESS;
}
