// The rest of what torch imports from the runtime says that it is not supported; the real runtime,
// loaded as well, would look for a real driver. CUDA's header is left out, since one kind of
// function without parameters stands for all: a callee may leave its arguments unread.
enum { NOT_SUPPORTED = 801 }; // cudaErrorNotSupported

int failed(int error);

#define NOT_SIMULATED(function)                                                                    \
    int function(void) { return failed(NOT_SUPPORTED); }

// Memory shared through handles
NOT_SIMULATED(cudaDeviceEnablePeerAccess)
NOT_SIMULATED(cudaIpcGetMemHandle)
NOT_SIMULATED(cudaIpcOpenMemHandle)
NOT_SIMULATED(cudaIpcCloseMemHandle)
NOT_SIMULATED(cudaIpcGetEventHandle)
NOT_SIMULATED(cudaIpcOpenEventHandle)

// CUDA graphs
NOT_SIMULATED(cudaStreamBeginCapture)
NOT_SIMULATED(cudaStreamBeginCaptureToGraph)
NOT_SIMULATED(cudaStreamEndCapture)
NOT_SIMULATED(cudaStreamUpdateCaptureDependencies)
NOT_SIMULATED(cudaGraphAddNode)
NOT_SIMULATED(cudaGraphConditionalHandleCreate)
NOT_SIMULATED(cudaGraphDestroy)
NOT_SIMULATED(cudaGraphExecDestroy)
NOT_SIMULATED(cudaGraphGetNodes)
NOT_SIMULATED(cudaGraphInstantiateWithFlags)
NOT_SIMULATED(cudaGraphLaunch)
NOT_SIMULATED(cudaGraphNodeGetDependencies)
NOT_SIMULATED(cudaGraphRetainUserObject)
NOT_SIMULATED(cudaUserObjectCreate)
NOT_SIMULATED(cudaUserObjectRelease)
NOT_SIMULATED(cudaDeviceGetGraphMemAttribute)
NOT_SIMULATED(cudaDeviceSetGraphMemAttribute)

// Kernels loaded from files
NOT_SIMULATED(cudaLibraryLoadData)
NOT_SIMULATED(cudaLibraryUnload)
NOT_SIMULATED(cudaLibraryGetKernel)
NOT_SIMULATED(cudaKernelSetAttributeForDevice)
