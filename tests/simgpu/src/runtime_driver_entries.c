// What torch asks of the driver through the runtime: it is there if libcuda.so.1 has it. The other
// entries exist as well, and say that they are not supported.
#include <cuda.h>
#include <dlfcn.h>
#include <stdio.h>

#include "runtime.h"

static CUresult not_supported(void) { return CUDA_ERROR_NOT_SUPPORTED; }

cudaError_t cudaGetDriverEntryPointByVersion(const char *symbol, void **function, unsigned version,
                                             unsigned long long flags,
                                             enum cudaDriverEntryPointQueryResult *found) {
    void *driver = dlopen("libcuda.so.1", RTLD_LAZY);
    char second_version[128];
    snprintf(second_version, sizeof second_version, "%s_v2", symbol);
    *function = driver ? dlsym(driver, symbol) : NULL;
    if (driver && !*function) *function = dlsym(driver, second_version);
    if (!*function) *function = (void *)not_supported;
    if (found) *found = cudaDriverEntryPointSuccess;
    return cudaSuccess;
}
