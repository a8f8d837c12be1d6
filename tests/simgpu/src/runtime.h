// What the files of the simulated CUDA runtime share.
#pragma once
#include <cuda_runtime_api.h>

#include "machine.h"

// Remembers an error for cudaGetLastError and returns it.
cudaError_t failed(cudaError_t error);

// The place of this thread's current device; opens this process's context there, as CUDA does at
// the first use. Returns cudaSuccess, cudaErrorNoDevice or cudaErrorMemoryAllocation.
cudaError_t current_place(const Place **place);
