// NVML: the system, its devices, what they are called and how they are set.
#include <stdio.h>
#include <string.h>

#include "calls.h"
#include "identity.h"
#include "startup.h"

static int text_answer(const char *text, char *answer, unsigned room) {
    if (room <= strlen(text)) return INSUFFICIENT_SIZE;
    strcpy(answer, text);
    return SUCCESS;
}

int nvmlSystemGetDriverVersion(char *text, unsigned room) {
    CALLED();
    return text_answer(DRIVER_VERSION, text, room);
}

int nvmlSystemGetNVMLVersion(char *text, unsigned room) {
    CALLED();
    return text_answer("13." DRIVER_VERSION, text, room);
}

int nvmlSystemGetCudaDriverVersion(int *version) {
    CALLED();
    *version = startup_driver();
    return SUCCESS;
}

int nvmlSystemGetCudaDriverVersion_v2(int *version) {
    CALLED();
    *version = startup_driver();
    return SUCCESS;
}

int nvmlDeviceGetCount_v2(unsigned *count) {
    CALLED();
    *count = (unsigned)machine_devices();
    return SUCCESS;
}

static int give_handle(int device, Handle *handle) {
    if (device < 0 || device >= machine_devices()) return NOT_FOUND;
    *handle = handle_of((Place){device, WHOLE});
    return SUCCESS;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, Handle *handle) {
    bool known = index < (unsigned)machine_devices();
    CALLED_FOR(known ? (int)index : ANY_DEVICE);
    return known ? give_handle((int)index, handle) : INVALID_ARGUMENT;
}

int nvmlDeviceGetHandleByUUID(const char *uuid, Handle *handle) {
    for (int device = 0; uuid && device < machine_devices(); device++) {
        for (int instance = WHOLE; instance < machine_instances(device); instance++) {
            char text[UUID_TEXT];
            identity_uuid_text((Place){device, instance}, text);
            if (strcmp(uuid, text)) continue;
            CALLED_FOR(device);
            *handle = handle_of((Place){device, instance});
            return SUCCESS;
        }
    }
    CALLED();
    return NOT_FOUND;
}

int nvmlDeviceGetHandleByPciBusId_v2(const char *id, Handle *handle) {
    unsigned bus;
    bool read = id && sscanf(id, "%*x:%x:%*x.%*x", &bus) == 1;
    int device = read ? identity_device_at_pci_bus((int)bus) : ANY_DEVICE;
    CALLED_FOR(device);
    return give_handle(device, handle);
}

int nvmlDeviceGetIndex(Handle device, unsigned *index) {
    CALLED_ON(device);
    *index = (unsigned)(device->instance == WHOLE ? device->device : device->instance);
    return SUCCESS;
}

int nvmlDeviceGetMinorNumber(Handle card, unsigned *number) {
    CALLED_ON_CARD(card);
    *number = (unsigned)card->device;
    return SUCCESS;
}

int nvmlDeviceGetName(Handle device, char *text, unsigned room) {
    CALLED_ON(device);
    char name[NAME_TEXT];
    identity_name(*device, name);
    return text_answer(name, text, room);
}

int nvmlDeviceGetUUID(Handle device, char *text, unsigned room) {
    CALLED_ON(device);
    char uuid[UUID_TEXT];
    identity_uuid_text(*device, uuid);
    return text_answer(uuid, text, room);
}

int nvmlDeviceGetSerial(Handle card, char *text, unsigned room) {
    CALLED_ON_CARD(card);
    char serial[16];
    snprintf(serial, sizeof serial, "16500%08d", card->device);
    return text_answer(serial, text, room);
}

int nvmlDeviceGetPciInfo_v3(Handle card, PciInfo *info) {
    CALLED_ON_CARD(card);
    unsigned bus = (unsigned)identity_pci_bus(card->device);
    *info = (PciInfo){.bus = bus, .ids = 0x233010de};
    snprintf(info->legacy_id, sizeof info->legacy_id, "0000:%02X:00.0", bus);
    snprintf(info->id, sizeof info->id, "00000000:%02X:00.0", bus);
    return SUCCESS;
}

int nvmlDeviceGetCudaComputeCapability(Handle device, int *major, int *minor) {
    CALLED_ON(device);
    *major = 9;
    *minor = 0;
    return SUCCESS;
}

// A card in a server: nothing displayed, the driver kept loaded, open to all.
#define MODE(function, mode)                                                                       \
    int function(Handle card, unsigned *value) {                                                   \
        CALLED_ON_CARD(card);                                                                      \
        *value = (mode);                                                                           \
        return SUCCESS;                                                                            \
    }

MODE(nvmlDeviceGetPersistenceMode, 1)
MODE(nvmlDeviceGetDisplayMode, 0)
MODE(nvmlDeviceGetDisplayActive, 0)
MODE(nvmlDeviceGetComputeMode, 0)

int nvmlDeviceGetEccMode(Handle card, unsigned *current, unsigned *pending) {
    CALLED_ON_CARD(card);
    *current = *pending = 1;
    return SUCCESS;
}

// What torch and monitors ask for, and this card has not.
#define NOT_ON_THIS_CARD(function)                                                                 \
    int function(Handle device) {                                                                  \
        CALLED_ON(device);                                                                         \
        return NOT_SUPPORTED;                                                                      \
    }

NOT_ON_THIS_CARD(nvmlDeviceGetFieldValues)
NOT_ON_THIS_CARD(nvmlDeviceGetDriverModel)
NOT_ON_THIS_CARD(nvmlDeviceGetDriverModel_v2)
NOT_ON_THIS_CARD(nvmlDeviceGetNvLinkRemoteDeviceType)
NOT_ON_THIS_CARD(nvmlDeviceGetNvLinkRemotePciInfo_v2)
NOT_ON_THIS_CARD(nvmlDeviceGetGpuFabricInfoV)
NOT_ON_THIS_CARD(nvmlDeviceGetP2PStatus)
NOT_ON_THIS_CARD(nvmlDeviceGetConfComputeMemSizeInfo)
NOT_ON_THIS_CARD(nvmlDeviceGetRunningProcessDetailList)
