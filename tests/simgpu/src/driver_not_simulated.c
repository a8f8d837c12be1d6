// The driver's functions that torch's run-time compiler links to. They must be there for it to
// load; nothing that it compiles can run.
enum { NOT_SUPPORTED = 801 }; // CUDA_ERROR_NOT_SUPPORTED

#define NOT_SIMULATED(function)                                                                    \
    int function(void) { return NOT_SUPPORTED; }

NOT_SIMULATED(cuFuncGetAttribute)
NOT_SIMULATED(cuFuncSetAttribute)
NOT_SIMULATED(cuFuncSetCacheConfig)
NOT_SIMULATED(cuLaunchCooperativeKernel)
NOT_SIMULATED(cuLaunchKernel)
NOT_SIMULATED(cuLinkAddData_v2)
NOT_SIMULATED(cuLinkComplete)
NOT_SIMULATED(cuLinkCreate_v2)
NOT_SIMULATED(cuModuleGetFunction)
NOT_SIMULATED(cuModuleLoad)
NOT_SIMULATED(cuModuleLoadData)
NOT_SIMULATED(cuModuleLoadDataEx)
NOT_SIMULATED(cuModuleUnload)
NOT_SIMULATED(cuOccupancyMaxActiveBlocksPerMultiprocessor)
NOT_SIMULATED(cuPointerGetAttribute)
NOT_SIMULATED(cuTensorMapEncodeTiled)
