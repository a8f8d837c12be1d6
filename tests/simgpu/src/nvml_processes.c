// NVML: which processes hold memory on a device.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "calls.h"
#include "readings.h"
#include "shared_state.h"

#define NO_INSTANCE (~0U)

// The pid that the driver tells: of its own namespace, which is another one inside a container.
static unsigned told_pid(Holder holder) {
    unsigned shift = 0;
    read_unsigned("pid_shift", holder.place.device, &shift);
    return (unsigned)holder.pid + shift;
}

static Process as_process(Holder holder) {
    unsigned instance =
        holder.place.instance == WHOLE ? NO_INSTANCE : (unsigned)holder.place.instance;
    unsigned compute = holder.place.instance == WHOLE ? NO_INSTANCE : 0;
    return (Process){told_pid(holder), holder.bytes, instance, compute};
}

// Keeps of the holders those that draw, or those that compute.
static size_t keep(Holder *holders, size_t count, bool graphics) {
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (holders[i].graphics == graphics) holders[kept++] = holders[i];
    return kept;
}

// *count is the room on the way in and the number of processes on the way out, as in all of NVML.
static int list(Handle device, bool graphics, unsigned *count, Process *v2, ProcessV1 *v1) {
    Holder *holders;
    size_t all = list_holders(*device, &holders);
    unsigned found = (unsigned)keep(holders, all, graphics);
    bool fits = found <= *count && (v1 || v2 || !found);
    for (unsigned i = 0; fits && i < found; i++) {
        if (v1)
            v1[i] = (ProcessV1){told_pid(holders[i]), holders[i].bytes};
        else
            v2[i] = as_process(holders[i]);
    }
    free(holders);
    *count = found;
    return fits ? SUCCESS : INSUFFICIENT_SIZE;
}

#define LIST(function, graphics)                                                                   \
    int function(Handle device, unsigned *count, Process *processes) {                             \
        CALLED_ON(device);                                                                         \
        return list(device, graphics, count, processes, NULL);                                     \
    }

#define LIST_V1(function, graphics)                                                                \
    int function(Handle device, unsigned *count, ProcessV1 *processes) {                           \
        CALLED_ON(device);                                                                         \
        return list(device, graphics, count, NULL, processes);                                     \
    }

LIST_V1(nvmlDeviceGetComputeRunningProcesses, false)
LIST(nvmlDeviceGetComputeRunningProcesses_v2, false)
LIST(nvmlDeviceGetComputeRunningProcesses_v3, false)
LIST_V1(nvmlDeviceGetGraphicsRunningProcesses, true)
LIST(nvmlDeviceGetGraphicsRunningProcesses_v2, true)
LIST(nvmlDeviceGetGraphicsRunningProcesses_v3, true)

// Nobody goes through the multi-process service.
#define NOBODY(function)                                                                           \
    int function(Handle device, unsigned *count, void *processes) {                                \
        CALLED_ON(device);                                                                         \
        *count = 0;                                                                                \
        return SUCCESS;                                                                            \
    }

NOBODY(nvmlDeviceGetMPSComputeRunningProcesses)
NOBODY(nvmlDeviceGetMPSComputeRunningProcesses_v2)
NOBODY(nvmlDeviceGetMPSComputeRunningProcesses_v3)

static unsigned long long microseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (unsigned long long)now.tv_sec * 1000000 + (unsigned long long)now.tv_nsec / 1000;
}

// No kernel runs: a process keeps the card as busy as SIMGPU_SHARES says, and the latest sample was
// taken half a second ago. A card that is split has none.
int nvmlDeviceGetProcessUtilization(Handle card, ProcessUtilization *samples, unsigned *count,
                                    unsigned long long since) {
    CALLED_ON_CARD(card);
    if (machine_instances(card->device)) return NOT_SUPPORTED;
    unsigned long long at = microseconds() - 500000;
    unsigned found = 0, shift = 0;
    read_unsigned("pid_shift", card->device, &shift);
    const char *rest = NULL;
    for (Share share; at > since && next_share(&rest, &share);) {
        if (share.device != card->device) continue;
        if (samples && found < *count)
            samples[found] =
                (ProcessUtilization){(unsigned)share.pid + shift, at, share.sm, share.memory, 0, 0};
        found++;
    }
    bool fits = samples && found <= *count;
    *count = found;
    if (!found) return NOT_FOUND;
    return fits ? SUCCESS : INSUFFICIENT_SIZE;
}

int nvmlSystemGetProcessName(unsigned pid, char *name, unsigned room) {
    CALLED();
    char path[32];
    snprintf(path, sizeof path, "/proc/%u/cmdline", pid);
    FILE *file = fopen(path, "r");
    if (!file) return NOT_FOUND;
    size_t length = fread(name, 1, room - 1, file); // the command ends with the first zero byte
    fclose(file);
    name[length] = 0;
    return SUCCESS;
}
