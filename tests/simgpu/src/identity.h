// What a device is called. The CUDA runtime, the driver and NVML must agree on it to the letter.
#pragma once
#include "machine.h"

enum { UUID_BYTES = 16, UUID_TEXT = 48, NAME_TEXT = 96, PCI_TEXT = 32 };

#define DRIVER_VERSION         "580.65.06"
#define CUDA_VERSION_OF_DRIVER 13000

void identity_uuid(Place place, unsigned char uuid[UUID_BYTES]);
void identity_uuid_text(Place place, char text[UUID_TEXT]); // GPU-… or MIG-…
void identity_name(Place place, char text[NAME_TEXT]);
int identity_pci_bus(int device);
int identity_device_at_pci_bus(int bus); // -1 where there is none
