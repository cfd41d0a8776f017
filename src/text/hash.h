/* SPDX-License-Identifier: Apache-2.0 */
/* The hash mixer and the probe limits that both hash tables of this module use. */
#ifndef LF_TEXT_HASH_H
#define LF_TEXT_HASH_H

#include <stddef.h>
#include <stdint.h>

/* A table is at most half full: keys of ordinary files then need far fewer than LF_HASH_PROBES
 * probes. If a key needs more, the table is rebuilt with the next seed; when all LF_HASH_SEEDS
 * seeds fail, the file is refused. */
enum { LF_HASH_PROBES = 128, LF_HASH_SEEDS = 4 };

/* A bijection in which every input bit affects every output bit. The multipliers are the golden
 * ratio and a random odd number. */
static inline uint64_t lf_hash_mix(uint64_t x)
{
    x ^= x >> 32;
    x *= 0x9E3779B97F4A7C15u;
    x ^= x >> 29;
    x *= 0xD6E8FEB86659FD93u;
    x ^= x >> 32;
    return x;
}

/* Number of slots for n keys: a power of two, at least 2 * n. */
static inline size_t lf_hash_capacity(uint32_t n)
{
    size_t capacity = 16;
    while (capacity < 2 * (size_t)n) {
        capacity *= 2;
    }
    return capacity;
}

#endif /* LF_TEXT_HASH_H */
