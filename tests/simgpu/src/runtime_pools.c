// The driver's own pool of each device, for cudaMallocAsync: it keeps no freed memory in store.
#include <stdint.h>

#include "allocations.h"
#include "runtime.h"

static Bytes used[MAX_DEVICES], most[MAX_DEVICES];

static cudaMemPool_t pool_of(int ordinal) { return (cudaMemPool_t)(intptr_t)(ordinal + 1); }
static int ordinal_of(cudaMemPool_t pool) { return (int)(intptr_t)pool - 1; }

cudaError_t cudaDeviceGetDefaultMemPool(cudaMemPool_t *pool, int device) {
    *pool = pool_of(device);
    return cudaSuccess;
}

cudaError_t cudaMallocAsync(void **pointer, size_t bytes, cudaStream_t stream) {
    cudaError_t error = cudaMalloc(pointer, bytes);
    if (error || !*pointer) return error;
    int ordinal;
    cudaGetDevice(&ordinal);
    Bytes now = __atomic_add_fetch(&used[ordinal], bytes, __ATOMIC_SEQ_CST);
    if (now > most[ordinal]) most[ordinal] = now;
    return cudaSuccess;
}

cudaError_t cudaFreeAsync(void *pointer, cudaStream_t stream) {
    Allocation allocation;
    if (allocations_containing(pointer, &allocation))
        __atomic_sub_fetch(&used[allocation.ordinal], allocation.bytes, __ATOMIC_SEQ_CST);
    return cudaFree(pointer);
}

cudaError_t cudaMemPoolGetAttribute(cudaMemPool_t pool, enum cudaMemPoolAttr attribute,
                                    void *value) {
    int ordinal = ordinal_of(pool);
    bool high = attribute == cudaMemPoolAttrReservedMemHigh ||
                attribute == cudaMemPoolAttrUsedMemHigh;
    *(uint64_t *)value = high ? most[ordinal] : used[ordinal];
    return cudaSuccess;
}

// The high-water marks are the only ones that change anything here.
cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t pool, enum cudaMemPoolAttr attribute,
                                    void *value) {
    if (attribute == cudaMemPoolAttrUsedMemHigh) most[ordinal_of(pool)] = used[ordinal_of(pool)];
    return cudaSuccess;
}

cudaError_t cudaMemPoolSetAccess(cudaMemPool_t pool, const struct cudaMemAccessDesc *access,
                                 size_t count) {
    return cudaSuccess;
}

cudaError_t cudaMemPoolTrimTo(cudaMemPool_t pool, size_t bytes) { return cudaSuccess; }
