// Contexts as the driver sees them: each device has one of this process, made by the runtime at its
// first use or here. Its handle is its device's place.
#include <cuda.h>

#include "shared_state.h"
#include "visible.h"

CUresult cuDevicePrimaryCtxRetain(CUcontext *context, CUdevice device) {
    const Place *place = visible_place(device);
    if (!place) return CUDA_ERROR_INVALID_DEVICE;
    *context = (CUcontext)place;
    return open_context(*place) ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

// torch takes care to make no context where it needs none, and asks here.
CUresult cuDevicePrimaryCtxGetState(CUdevice device, unsigned *flags, int *active) {
    const Place *place = visible_place(device);
    if (!place) return CUDA_ERROR_INVALID_DEVICE;
    *flags = 0;
    *active = has_context(*place);
    return CUDA_SUCCESS;
}

// A thread's current device is the runtime's affair. torch only asks whether there is a context.
CUresult cuCtxGetCurrent(CUcontext *context) {
    *context = NULL;
    for (int ordinal = 0; !*context && ordinal < visible_count(); ordinal++) {
        const Place *place = visible_place(ordinal);
        if (has_context(*place)) *context = (CUcontext)place;
    }
    return CUDA_SUCCESS;
}

CUresult cuCtxSetCurrent(CUcontext context) { return CUDA_SUCCESS; }
