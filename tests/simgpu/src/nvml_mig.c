// NVML: devices that are split into MIG instances. Each has one compute instance.
#include "calls.h"

int nvmlDeviceGetMigMode(Handle card, unsigned *current, unsigned *pending) {
    CALLED_ON_CARD(card);
    *current = *pending = machine_instances(card->device) > 0;
    return SUCCESS;
}

int nvmlDeviceGetMaxMigDeviceCount(Handle card, unsigned *count) {
    CALLED_ON_CARD(card);
    *count = MAX_INSTANCES;
    return SUCCESS;
}

int nvmlDeviceIsMigDeviceHandle(Handle device, unsigned *is_mig) {
    CALLED_ON(device);
    *is_mig = device->instance != WHOLE;
    return SUCCESS;
}

int nvmlDeviceGetMigDeviceHandleByIndex(Handle card, unsigned index, Handle *handle) {
    CALLED_ON_CARD(card);
    if (index >= (unsigned)machine_instances(card->device)) return NOT_FOUND;
    *handle = handle_of((Place){card->device, (int)index});
    return SUCCESS;
}

int nvmlDeviceGetDeviceHandleFromMigDeviceHandle(Handle device, Handle *card) {
    CALLED_ON(device);
    if (device->instance == WHOLE) return INVALID_ARGUMENT;
    *card = handle_of((Place){device->device, WHOLE});
    return SUCCESS;
}

int nvmlDeviceGetGpuInstanceId(Handle device, unsigned *id) {
    CALLED_ON(device);
    if (device->instance == WHOLE) return NOT_SUPPORTED;
    *id = (unsigned)device->instance;
    return SUCCESS;
}

int nvmlDeviceGetComputeInstanceId(Handle device, unsigned *id) {
    CALLED_ON(device);
    if (device->instance == WHOLE) return NOT_SUPPORTED;
    *id = 0;
    return SUCCESS;
}

int nvmlDeviceGetAttributes_v2(Handle device, Attributes *attributes) {
    CALLED_ON(device);
    if (device->instance == WHOLE) return NOT_SUPPORTED;
    *attributes =
        (Attributes){.multiprocessors = 132u / (unsigned)machine_instances(device->device),
                     .gpu_slices = 1,
                     .compute_slices = 1,
                     .memory_mib = machine_capacity(*device) / MIB};
    return SUCCESS;
}
