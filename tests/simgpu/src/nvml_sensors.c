// NVML: utilization, temperature, power, clocks, fan, ECC and why clocks are held back.
#include "calls.h"
#include "readings.h"

// One number of the card: the function and the reading that it gives.
#define READING(function, name)                                                                    \
    int function(Handle card, unsigned *value) {                                                   \
        CALLED_ON_CARD(card);                                                                      \
        return read_unsigned(name, card->device, value);                                           \
    }

READING(nvmlDeviceGetPowerUsage, "power")
READING(nvmlDeviceGetEnforcedPowerLimit, "power_limit")
READING(nvmlDeviceGetPowerManagementLimit, "power_limit")
READING(nvmlDeviceGetFanSpeed, "fan")
READING(nvmlDeviceGetPerformanceState, "performance_state")

#define WIDE_READING(function, name)                                                               \
    int function(Handle card, unsigned long long *value) {                                         \
        CALLED_ON_CARD(card);                                                                      \
        return read_value(name, card->device, value);                                              \
    }

WIDE_READING(nvmlDeviceGetCurrentClocksThrottleReasons, "throttle") // the name up to driver 530
WIDE_READING(nvmlDeviceGetCurrentClocksEventReasons, "throttle")

// A card that is split does not tell how busy it is.
#define UNLESS_SPLIT(card)                                                                         \
    if (machine_instances((card)->device)) return NOT_SUPPORTED

int nvmlDeviceGetUtilizationRates(Handle card, Utilization *rates) {
    CALLED_ON_CARD(card);
    UNLESS_SPLIT(card);
    UNLESS_REFUSED(read_unsigned("memory_utilization", card->device, &rates->memory));
    return read_unsigned("utilization", card->device, &rates->gpu);
}

#define ENGINE(function, name)                                                                     \
    int function(Handle card, unsigned *percent, unsigned *sampling_microseconds) {                \
        CALLED_ON_CARD(card);                                                                      \
        UNLESS_SPLIT(card);                                                                        \
        *sampling_microseconds = 100000;                                                           \
        return read_unsigned(name, card->device, percent);                                         \
    }

ENGINE(nvmlDeviceGetEncoderUtilization, "encoder_utilization")
ENGINE(nvmlDeviceGetDecoderUtilization, "decoder_utilization")

int nvmlDeviceGetTemperature(Handle card, unsigned sensor, unsigned *degrees) {
    CALLED_ON_CARD(card);
    return sensor ? INVALID_ARGUMENT : read_unsigned("temperature", card->device, degrees);
}

int nvmlDeviceGetTemperatureV(Handle card, TemperatureV1 *temperature) {
    CALLED_ON_CARD(card);
    if (temperature->version != VERSION_OF(TemperatureV1, 1)) return ARGUMENT_VERSION_MISMATCH;
    if (temperature->sensor) return INVALID_ARGUMENT;
    return read_unsigned("temperature", card->device, (unsigned *)&temperature->degrees);
}

// By nvmlTemperatureThresholds_t: where the card shuts down, and where it slows down.
int nvmlDeviceGetTemperatureThreshold(Handle card, unsigned threshold, unsigned *degrees) {
    static const char *const names[] = {"shutdown_temperature", "slowdown_temperature"};
    CALLED_ON_CARD(card);
    if (threshold >= 2) return NOT_SUPPORTED;
    return read_unsigned(names[threshold], card->device, degrees);
}

// By nvmlClockType_t.
#define CLOCKS(function, prefix)                                                                   \
    int function(Handle card, unsigned clock, unsigned *mhz) {                                     \
        static const char *const names[] = {prefix "graphics", prefix "sm", prefix "memory",       \
                                            prefix "video"};                                       \
        CALLED_ON_CARD(card);                                                                      \
        return clock < 4 ? read_unsigned(names[clock], card->device, mhz) : INVALID_ARGUMENT;      \
    }

CLOCKS(nvmlDeviceGetClockInfo, "clock_")
CLOCKS(nvmlDeviceGetMaxClockInfo, "max_clock_")

// Counted since the driver loaded or in all the card's life: here the same.
int nvmlDeviceGetTotalEccErrors(Handle card, unsigned uncorrected, unsigned lifetime,
                                unsigned long long *errors) {
    CALLED_ON_CARD(card);
    return read_value(uncorrected ? "ecc_uncorrected" : "ecc_corrected", card->device, errors);
}

int nvmlDeviceGetPcieThroughput(Handle card, unsigned received, unsigned *kilobytes) {
    CALLED_ON_CARD(card);
    return read_unsigned(received ? "pcie_received" : "pcie_transmitted", card->device, kilobytes);
}
