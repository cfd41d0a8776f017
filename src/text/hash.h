/* SPDX-License-Identifier: Apache-2.0 */
/* What the room's two hash tables share: the mixer and the bounds on their work. */
#ifndef LF_TEXT_HASH_H
#define LF_TEXT_HASH_H

#include <stddef.h>
#include <stdint.h>

/* A table is at most half full, where honest keys stay far below LF_HASH_PROBES probes. Keys that
 * do not are hashed again with another seed; keys made to collide under all of them are refused. */
enum { LF_HASH_PROBES = 128, LF_HASH_SEEDS = 4 };

/* A bijection in which every input bit reaches every output bit (the constants are the golden ratio
 * and an odd random number). */
static inline uint64_t lf_hash_mix(uint64_t x)
{
    x ^= x >> 32;
    x *= 0x9E3779B97F4A7C15u;
    x ^= x >> 29;
    x *= 0xD6E8FEB86659FD93u;
    x ^= x >> 32;
    return x;
}

/* Slots for n keys: a power of two, at least 2 n. */
static inline size_t lf_hash_capacity(uint32_t n)
{
    size_t capacity = 16;
    while (capacity < 2 * (size_t)n) {
        capacity *= 2;
    }
    return capacity;
}

#endif /* LF_TEXT_HASH_H */
