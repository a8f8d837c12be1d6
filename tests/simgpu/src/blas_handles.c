// cuBLAS as far as torch's workspaces need it: handles that remember their modes. cuBLAS's headers
// need more than torch's wheels bring, so what is used of them stands here.
#include <stdint.h>
#include <stdlib.h>

enum { SUCCESS = 0, ALLOCATION_FAILED = 3 }; // cublasStatus_t

struct handle {
    int math_mode, pointer_mode;
};

int cublasCreate_v2(struct handle **handle) {
    *handle = calloc(1, sizeof **handle);
    return *handle ? SUCCESS : ALLOCATION_FAILED;
}

int cublasDestroy_v2(struct handle *handle) {
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
