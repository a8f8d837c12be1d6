// libcuda.so.1: what torch and monitors ask of the driver itself about the devices that this
// process sees, and about itself.
#include <cuda.h>
#include <stdio.h>

#include "identity.h"
#include "startup.h"
#include "visible.h"

// A driver that is merely older than the program starts: it is the runtime that refuses it.
CUresult cuInit(unsigned flags) {
    int error = startup_error();
    if (error && error != INSUFFICIENT_DRIVER) return (CUresult)error;
    return visible_count() || error ? CUDA_SUCCESS : CUDA_ERROR_NO_DEVICE;
}

CUresult cuDriverGetVersion(int *version) {
    *version = startup_driver();
    return CUDA_SUCCESS;
}

// Those that the simulation gives, in the driver's own words.
#define ERRORS(ERROR)                                                                              \
    ERROR(CUDA_SUCCESS, "no error")                                                                \
    ERROR(CUDA_ERROR_OUT_OF_MEMORY, "out of memory")                                               \
    ERROR(CUDA_ERROR_NO_DEVICE, "no CUDA-capable device is detected")                              \
    ERROR(CUDA_ERROR_INVALID_DEVICE, "invalid device ordinal")                                     \
    ERROR(CUDA_ERROR_NOT_SUPPORTED, "operation not supported")

CUresult cuGetErrorName(CUresult error, const char **name) {
    switch (error) {
#define NAME(code, words)                                                                          \
    case code: *name = #code; return CUDA_SUCCESS;
        ERRORS(NAME)
    default: *name = NULL; return CUDA_ERROR_INVALID_VALUE;
    }
}

CUresult cuGetErrorString(CUresult error, const char **string) {
    switch (error) {
#define WORDS(code, words)                                                                         \
    case code: *string = words; return CUDA_SUCCESS;
        ERRORS(WORDS)
    default: *string = NULL; return CUDA_ERROR_INVALID_VALUE;
    }
}

CUresult cuDeviceGetCount(int *count) {
    *count = visible_count();
    return CUDA_SUCCESS;
}

CUresult cuDeviceGet(CUdevice *device, int ordinal) {
    *device = ordinal;
    return visible_place(ordinal) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_DEVICE;
}

CUresult cuDeviceGetName(char *name, int length, CUdevice device) {
    const Place *place = visible_place(device);
    if (!place) return CUDA_ERROR_INVALID_DEVICE;
    char whole[NAME_TEXT];
    identity_name(*place, whole);
    snprintf(name, (size_t)length, "%s", whole);
    return CUDA_SUCCESS;
}

CUresult cuDeviceGetUuid_v2(CUuuid *uuid, CUdevice device) {
    const Place *place = visible_place(device);
    if (!place) return CUDA_ERROR_INVALID_DEVICE;
    identity_uuid(*place, (unsigned char *)uuid->bytes);
    return CUDA_SUCCESS;
}

CUresult cuDeviceTotalMem_v2(size_t *bytes, CUdevice device) {
    const Place *place = visible_place(device);
    if (!place) return CUDA_ERROR_INVALID_DEVICE;
    *bytes = machine_capacity(*place);
    return CUDA_SUCCESS;
}

CUresult cuDeviceGetPCIBusId(char *text, int length, CUdevice device) {
    const Place *place = visible_place(device);
    if (!place) return CUDA_ERROR_INVALID_DEVICE;
    snprintf(text, (size_t)length, "0000:%02X:00.0", (unsigned)identity_pci_bus(place->device));
    return CUDA_SUCCESS;
}

CUresult cuDeviceGetAttribute(int *value, CUdevice_attribute attribute, CUdevice device) {
    if (!visible_place(device)) return CUDA_ERROR_INVALID_DEVICE;
    *value = attribute == CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR ? 9 : 0;
    return CUDA_SUCCESS;
}

// torch wants to hear the driver's log; there is nothing to say.
CUresult cuLogsRegisterCallback(CUlogsCallback callback, void *data, CUlogsCallbackHandle *handle) {
    if (handle) *handle = NULL;
    return CUDA_SUCCESS;
}

CUresult cuLogsUnregisterCallback(CUlogsCallbackHandle handle) { return CUDA_SUCCESS; }
