#include "identity.h"

#include <stdio.h>
#include <string.h>

// The first byte tells devices apart, since CUDA_VISIBLE_DEVICES may name a UUID by its beginning.
void identity_uuid(Place place, unsigned char uuid[UUID_BYTES]) {
    static const unsigned char pattern[UUID_BYTES] = {0x00, 0x53, 0x49, 0x4d, 0x47, 0x50,
                                                      0x40, 0x55, 0x80, 0x00, 0x00, 0x00,
                                                      0x00, 0x00, 0x00, 0x00};
    memcpy(uuid, pattern, UUID_BYTES);
    uuid[0] = (unsigned char)(0xa0 + place.device);
    uuid[UUID_BYTES - 1] = (unsigned char)(place.instance - WHOLE); // 0: the whole device
}

void identity_uuid_text(Place place, char text[UUID_TEXT]) {
    unsigned char u[UUID_BYTES];
    identity_uuid(place, u);
    snprintf(text, UUID_TEXT,
             "%s-%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
             place.instance == WHOLE ? "GPU" : "MIG", u[0], u[1], u[2], u[3], u[4], u[5], u[6],
             u[7], u[8], u[9], u[10], u[11], u[12], u[13], u[14], u[15]);
}

void identity_name(Place place, char text[NAME_TEXT]) {
    size_t told;
    const char *name = machine_entry("SIMGPU_NAMES", place.device, &told);
    int length = name ? snprintf(text, NAME_TEXT, "%.*s", (int)told, name)
                      : snprintf(text, NAME_TEXT, "NVIDIA Simulated X100-%d", place.device);
    if (length >= NAME_TEXT) misconfigured("SIMGPU_NAMES", name);
    if (place.instance != WHOLE)
        snprintf(text + length, (size_t)(NAME_TEXT - length), " MIG 1g.%llugb",
                 (machine_capacity(place) + GIB / 2) / GIB);
}

int identity_pci_bus(int device) { return device + 1; }

int identity_device_at_pci_bus(int bus) {
    return bus >= 1 && bus <= machine_devices() ? bus - 1 : -1;
}
