// The devices that CUDA shows this process, numbered as CUDA numbers them for it.
#pragma once
#include "machine.h"

int visible_count(void);
const Place *visible_place(int ordinal); // NULL where there is none
