// cuBLAS as far as torch's workspaces need it: handles that remember their modes, and take memory of
// the device as SIMGPU_CUBLAS says. cuBLAS's headers need more than torch's wheels bring, so what is
// used of them stands here.
#include <stdint.h>
#include <stdlib.h>

#include "runtime.h"
#include "shared_state.h"

enum { SUCCESS = 0, NOT_INITIALIZED = 1, ALLOCATION_FAILED = 3 }; // cublasStatus_t

struct handle {
    int math_mode, pointer_mode;
    Place place;
    Bytes bytes;
};

int cublasCreate_v2(struct handle **handle) {
    const Place *place;
    Bytes bytes = machine_bytes("SIMGPU_CUBLAS");
    if (current_place(&place) || !hold_bytes(*place, bytes)) return NOT_INITIALIZED;
    *handle = calloc(1, sizeof **handle);
    if (!*handle) return ALLOCATION_FAILED;
    (*handle)->place = *place;
    (*handle)->bytes = bytes;
    return SUCCESS;
}

int cublasDestroy_v2(struct handle *handle) {
    release_bytes(handle->place, handle->bytes);
    free(handle);
    return SUCCESS;
}

int cublasSetMathMode(struct handle *handle, int mode) {
    handle->math_mode = mode;
    return SUCCESS;
}

int cublasGetMathMode(struct handle *handle, int *mode) {
    *mode = handle->math_mode;
    return SUCCESS;
}

int cublasSetPointerMode_v2(struct handle *handle, int mode) {
    handle->pointer_mode = mode;
    return SUCCESS;
}

int cublasGetPointerMode_v2(struct handle *handle, int *mode) {
    *mode = handle->pointer_mode;
    return SUCCESS;
}

struct heuristic { // cublasLtMatmulHeuristicResult_t
    uint64_t algorithm[8];
    size_t workspace_bytes;
    int status;
    float waves;
    int reserved[4];
};

// Any algorithm will do: one that needs no workspace of its own.
int cublasLtMatmulAlgoGetHeuristic(void *handle, void *operation, void *a, void *b, void *c,
                                   void *d, void *preference, int requested,
                                   struct heuristic *results, int *returned) {
    results[0] = (struct heuristic){.status = SUCCESS};
    *returned = 1;
    return SUCCESS;
}
