// Devices of the CUDA runtime: how many, which one is current, what they are.
#include <stdio.h>
#include <string.h>

#include "identity.h"
#include "runtime.h"
#include "shared_state.h"
#include "startup.h"
#include "visible.h"

static _Thread_local int current;

// Why there is no device: CUDA did not start, or shows none.
static cudaError_t no_device(void) {
    int error = startup_error();
    return failed(error ? (cudaError_t)error : cudaErrorNoDevice);
}

cudaError_t current_place(const Place **place) {
    *place = visible_place(current);
    if (!*place) return no_device();
    return open_context(**place) ? cudaSuccess : failed(cudaErrorMemoryAllocation);
}

cudaError_t cudaGetDeviceCount(int *count) {
    *count = visible_count();
    return *count ? cudaSuccess : no_device();
}

cudaError_t cudaGetDevice(int *device) {
    *device = current;
    return visible_count() ? cudaSuccess : no_device();
}

cudaError_t cudaSetDevice(int device) {
    if (!visible_count()) return no_device();
    if (!visible_place(device)) return failed(cudaErrorInvalidDevice);
    current = device;
    const Place *place;
    return current_place(&place); // since CUDA 12 this makes the context
}

cudaError_t cudaDeviceSynchronize(void) { return cudaSuccess; } // nothing runs behind our back

cudaError_t cudaDriverGetVersion(int *version) {
    *version = startup_driver();
    return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int *version) {
    *version = CUDART_VERSION;
    return cudaSuccess;
}

// Compute capability 9.0 with the limits of such a card: kernels are launched within them.
cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *properties, int device) {
    const Place *place = visible_place(device);
    if (!place) return failed(cudaErrorInvalidDevice);
    *properties = (struct cudaDeviceProp){
        .totalGlobalMem = machine_capacity(*place),
        .major = 9,
        .minor = 0,
        .warpSize = 32,
        .maxThreadsPerBlock = 1024,
        .maxThreadsDim = {1024, 1024, 64},
        .maxGridSize = {2147483647, 65535, 65535},
        .maxThreadsPerMultiProcessor = 2048,
        .maxBlocksPerMultiProcessor = 32,
        .multiProcessorCount = 132,
        .sharedMemPerBlock = 48 << 10,
        .sharedMemPerBlockOptin = 227 << 10,
        .sharedMemPerMultiprocessor = 228 << 10,
        .regsPerBlock = 65536,
        .regsPerMultiprocessor = 65536,
        .l2CacheSize = 50 << 20,
        .textureAlignment = 512,
        .memPitch = 2147483647,
        .unifiedAddressing = 1,
        .concurrentKernels = 1,
        .pciBusID = identity_pci_bus(place->device),
    };
    char name[NAME_TEXT];
    identity_name(*place, name);
    strncpy(properties->name, name, sizeof properties->name - 1);
    identity_uuid(*place, (unsigned char *)properties->uuid.bytes);
    return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int *value, enum cudaDeviceAttr attribute, int device) {
    struct cudaDeviceProp properties;
    cudaError_t error = cudaGetDeviceProperties(&properties, device);
    if (error) return error;
    switch (attribute) {
    case cudaDevAttrComputeCapabilityMajor: *value = properties.major; break;
    case cudaDevAttrComputeCapabilityMinor: *value = properties.minor; break;
    case cudaDevAttrMultiProcessorCount: *value = properties.multiProcessorCount; break;
    case cudaDevAttrWarpSize: *value = properties.warpSize; break;
    case cudaDevAttrMaxThreadsPerBlock: *value = properties.maxThreadsPerBlock; break;
    case cudaDevAttrMaxSharedMemoryPerBlock: *value = (int)properties.sharedMemPerBlock; break;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin:
        *value = (int)properties.sharedMemPerBlockOptin;
        break;
    default: *value = 0; // a feature that this device does not have
    }
    return cudaSuccess;
}

cudaError_t cudaDeviceGetPCIBusId(char *text, int length, int device) {
    const Place *place = visible_place(device);
    if (!place) return failed(cudaErrorInvalidDevice);
    snprintf(text, (size_t)length, "0000:%02X:00.0", (unsigned)identity_pci_bus(place->device));
    return cudaSuccess;
}

cudaError_t cudaDeviceCanAccessPeer(int *can, int device, int peer) {
    if (!visible_place(device) || !visible_place(peer)) return failed(cudaErrorInvalidDevice);
    *can = 0;
    return cudaSuccess;
}
