/* SPDX-License-Identifier: Apache-2.0 */
/* A small seeded generator (splitmix64) for tests. */
#ifndef LF_TESTS_RANDOM_H
#define LF_TESTS_RANDOM_H

#include <stdint.h>

static inline uint64_t random_u64(uint64_t *state)
{
    uint64_t z = *state += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

/* 0 .. n - 1 */
static inline uint32_t random_below(uint64_t *state, uint32_t n)
{
    return (uint32_t)((random_u64(state) >> 32) * n >> 32);
}

#endif /* LF_TESTS_RANDOM_H */
