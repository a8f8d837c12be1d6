// Device memory is host memory, given by the page when it is touched; its bytes are counted on the
// device.
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "allocations.h"
#include "runtime.h"
#include "shared_state.h"
#include "visible.h"

cudaError_t cudaMalloc(void **pointer, size_t bytes) {
    *pointer = NULL;
    const Place *place;
    cudaError_t error = current_place(&place);
    if (error || !bytes) return error;
    if (!hold_bytes(*place, bytes)) return failed(cudaErrorMemoryAllocation);
    int protection = PROT_READ | PROT_WRITE;
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    void *start = mmap(NULL, bytes, protection, flags, -1, 0);
    if (start == MAP_FAILED) {
        release_bytes(*place, bytes);
        return failed(cudaErrorMemoryAllocation);
    }
    int ordinal;
    cudaGetDevice(&ordinal);
    allocations_add((Allocation){start, bytes, ordinal});
    *pointer = start;
    return cudaSuccess;
}

cudaError_t cudaFree(void *pointer) {
    Allocation allocation;
    if (!pointer) return cudaSuccess;
    if (!allocations_remove(pointer, &allocation)) return failed(cudaErrorInvalidValue);
    munmap(allocation.start, allocation.bytes);
    release_bytes(*visible_place(allocation.ordinal), allocation.bytes);
    return cudaSuccess;
}

cudaError_t cudaMemGetInfo(size_t *free_now, size_t *total) {
    const Place *place;
    cudaError_t error = current_place(&place);
    if (error) return error;
    *total = machine_capacity(*place);
    *free_now = free_bytes(*place);
    return cudaSuccess;
}

cudaError_t cudaPointerGetAttributes(struct cudaPointerAttributes *attributes,
                                     const void *pointer) {
    Allocation allocation;
    *attributes = (struct cudaPointerAttributes){.type = cudaMemoryTypeUnregistered};
    if (allocations_containing(pointer, &allocation)) {
        attributes->type = cudaMemoryTypeDevice;
        attributes->device = allocation.ordinal;
        attributes->devicePointer = (void *)pointer;
    }
    return cudaSuccess;
}

cudaError_t cudaHostAlloc(void **pointer, size_t bytes, unsigned flags) {
    return posix_memalign(pointer, 4096, bytes) ? failed(cudaErrorMemoryAllocation) : cudaSuccess;
}

cudaError_t cudaFreeHost(void *pointer) {
    free(pointer);
    return cudaSuccess;
}

cudaError_t cudaHostRegister(void *pointer, size_t bytes, unsigned flags) { return cudaSuccess; }
cudaError_t cudaHostUnregister(void *pointer) { return cudaSuccess; }

cudaError_t cudaMemcpy(void *to, const void *from, size_t bytes, enum cudaMemcpyKind kind) {
    memmove(to, from, bytes);
    return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, enum cudaMemcpyKind kind,
                            cudaStream_t stream) {
    return cudaMemcpy(to, from, bytes, kind);
}

cudaError_t cudaMemcpyPeerAsync(void *to, int to_device, const void *from, int from_device,
                                size_t bytes, cudaStream_t stream) {
    return cudaMemcpy(to, from, bytes, cudaMemcpyDeviceToDevice);
}

cudaError_t cudaMemset(void *start, int value, size_t bytes) {
    memset(start, value, bytes);
    return cudaSuccess;
}

cudaError_t cudaMemsetAsync(void *start, int value, size_t bytes, cudaStream_t stream) {
    return cudaMemset(start, value, bytes);
}
