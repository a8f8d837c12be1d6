#include "allocations.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static Allocation *table; // by ascending address
static size_t count, room;

// How many begin at or below the address.
static size_t begun(const char *address) {
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (table[middle].start <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void allocations_add(Allocation allocation) {
    pthread_mutex_lock(&lock);
    if (count == room) {
        room = room ? 2 * room : 256;
        table = realloc(table, room * sizeof *table);
        if (!table) abort();
    }
    size_t place = begun(allocation.start);
    memmove(table + place + 1, table + place, (count - place) * sizeof *table);
    table[place] = allocation;
    count++;
    pthread_mutex_unlock(&lock);
}

bool allocations_remove(const void *start, Allocation *removed) {
    pthread_mutex_lock(&lock);
    size_t behind = begun(start);
    bool found = behind && table[behind - 1].start == start;
    if (found) {
        *removed = table[behind - 1];
        memmove(table + behind - 1, table + behind, (count - behind) * sizeof *table);
        count--;
    }
    pthread_mutex_unlock(&lock);
    return found;
}

bool allocations_containing(const void *address, Allocation *found) {
    pthread_mutex_lock(&lock);
    size_t behind = begun(address);
    bool within =
        behind && (const char *)address < table[behind - 1].start + table[behind - 1].bytes;
    if (within) *found = table[behind - 1];
    pthread_mutex_unlock(&lock);
    return within;
}
