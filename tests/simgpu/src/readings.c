#include "readings.h"

#include <stdlib.h>
#include <string.h>

#include "settings.h"

#define ABSENT (~0ULL)

static const struct {
    const char *name;
    unsigned long long usual;
} readings[] = {
    {"utilization", 37},        // percent
    {"memory_utilization", 11}, // percent
    {"encoder_utilization", 0}, // percent
    {"decoder_utilization", 0}, // percent
    {"temperature", 54},        // degrees Celsius
    {"slowdown_temperature", 90},
    {"shutdown_temperature", 95},
    {"power", 217000},          // milliwatts
    {"power_limit", 700000},    // milliwatts
    {"clock_graphics", 1755},   // MHz, as all clocks
    {"clock_sm", 1755},
    {"clock_memory", 2619},
    {"clock_video", 1545},
    {"max_clock_graphics", 1980},
    {"max_clock_sm", 1980},
    {"max_clock_memory", 2619},
    {"max_clock_video", 1545},
    {"fan", ABSENT},          // percent; cards for servers have none
    {"performance_state", 0}, // P0 to P15
    {"throttle", 0},          // NVML's bits
    {"ecc_corrected", 0},
    {"ecc_uncorrected", 0},
    {"pcie_transmitted", 1000}, // KB/s
    {"pcie_received", 2000},    // KB/s
    {"pid_shift", 0},           // added to pids: as seen from another pid namespace
};

enum { READINGS = sizeof readings / sizeof *readings };

static int index_of(const char *name) {
    for (int i = 0; i < READINGS; i++)
        if (!strcmp(readings[i].name, name)) return i;
    return -1;
}

static bool is_fault(const char *name) { return !strncmp(name, "nvml", 4) || !strcmp(name, "*"); }

// The first entry that fits counts. A name that is neither a function's nor a reading's is a typing
// error.
static bool set_in(const char *variable, const char *text, const char *name, int device,
                   unsigned long long *value) {
    bool found = false;
    for (Entry entry; next_entry(variable, &text, &entry);) {
        if (!is_fault(entry.name) && index_of(entry.name) < 0) misconfigured(variable, entry.name);
        if (found || strcmp(entry.name, name) || !entry_is_for(&entry, (Place){device, WHOLE})) continue;
        *value = entry.number;
        found = true;
    }
    return found;
}

Answer read_value(const char *name, int device, unsigned long long *value) {
    const char *values = getenv("SIMGPU_VALUES");
    char *live = live_text();
    bool set = set_in("SIMGPU_CONTROL", live, name, device, value) ||
               set_in("SIMGPU_VALUES", values ? values : "", name, device, value);
    free(live);
    if (!set) *value = readings[index_of(name)].usual;
    return *value == ABSENT ? NOT_SUPPORTED : SUCCESS;
}

Answer read_unsigned(const char *name, int device, unsigned *value) {
    unsigned long long wide;
    Answer answer = read_value(name, device, &wide);
    if (answer == SUCCESS) *value = (unsigned)wide;
    return answer;
}
