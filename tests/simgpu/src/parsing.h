// Steps of a parser that moves *rest over what it has read, and leaves it where it could not.
#pragma once
#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static inline bool take_char(const char **rest, char expected) {
    if (**rest != expected) return false;
    ++*rest;
    return true;
}

// Decimal, or hexadecimal with 0x.
static inline bool take_number(const char **rest, unsigned long long *value) {
    if (!isdigit((unsigned char)**rest)) return false;
    bool hexadecimal = (*rest)[0] == '0' && (*rest)[1] == 'x';
    char *end;
    *value = strtoull(*rest, &end, hexadecimal ? 16 : 10);
    *rest = end;
    return true;
}

// Entries end with a comma, a line or the text; empty ones behind them are passed over.
static inline bool take_end_of_entry(const char **rest) {
    size_t separators = strspn(*rest, ",\n");
    bool ended = separators || !**rest;
    *rest += separators;
    return ended;
}
