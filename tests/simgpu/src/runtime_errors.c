// The runtime's errors: the last one of each thread, and their names.
#include "runtime.h"

static _Thread_local cudaError_t last;

cudaError_t failed(cudaError_t error) { return last = error; }

cudaError_t cudaPeekAtLastError(void) { return last; }

cudaError_t cudaGetLastError(void) {
    cudaError_t error = last;
    last = cudaSuccess;
    return error;
}

// Those that the simulation gives, in CUDA's own words.
#define ERRORS(ERROR)                                                                              \
    ERROR(cudaSuccess, "no error")                                                                 \
    ERROR(cudaErrorInvalidValue, "invalid argument")                                               \
    ERROR(cudaErrorMemoryAllocation, "out of memory")                                              \
    ERROR(cudaErrorInsufficientDriver,                                                             \
          "CUDA driver version is insufficient for CUDA runtime version")                          \
    ERROR(cudaErrorSystemDriverMismatch,                                                           \
          "system has unsupported display driver / cuda driver combination")                       \
    ERROR(cudaErrorCompatNotSupportedOnDevice,                                                     \
          "forward compatibility was attempted on non supported HW")                               \
    ERROR(cudaErrorUnknown, "unknown error")                                                       \
    ERROR(cudaErrorNoDevice, "no CUDA-capable device is detected")                                 \
    ERROR(cudaErrorInvalidDevice, "invalid device ordinal")                                        \
    ERROR(cudaErrorInvalidResourceHandle, "invalid resource handle")                               \
    ERROR(cudaErrorNotSupported, "operation not supported")

const char *cudaGetErrorName(cudaError_t error) {
    switch (error) {
#define NAME(code, words)                                                                          \
    case code: return #code;
        ERRORS(NAME)
    default: return "unrecognized error code";
    }
}

const char *cudaGetErrorString(cudaError_t error) {
    switch (error) {
#define WORDS(code, words)                                                                         \
    case code: return words;
        ERRORS(WORDS)
    default: return "unrecognized error code";
    }
}
