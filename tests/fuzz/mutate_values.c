/* SPDX-License-Identifier: Apache-2.0 */
/* Chooses values for changed inputs: integers, floats, chances. */
#include "fuzz/mutate.h"

#include "support/random.h"

uint64_t fuzz_random_of(unsigned seed)
{
    return (uint64_t)seed * UINT64_C(0x9E3779B97F4A7C15) + 1;
}

bool fuzz_one_in(uint64_t *random, uint32_t n)
{
    return random_below(random, n) == 0;
}

uint64_t fuzz_integer(uint64_t *random, uint64_t old)
{
    static const uint64_t limits[] = {
        0,        1,         2,          3,          4,          7,          8,         16,
        31,       32,        33,         64,         127,        128,        255,       256,
        257,      1023,      1024,       1025,       4096,       65535,      65536,     1u << 20,
        1u << 24, INT32_MAX, 1ull << 31, UINT32_MAX, 1ull << 32, 1ull << 62, INT64_MAX, UINT64_MAX,
    };
    uint64_t small = 1 + random_below(random, 4);
    uint64_t any = random_u64(random);
    switch (random_below(random, 8)) {
    case 0:
        return old + small;
    case 1:
        return old - small;
    case 2:
        return old * 2;
    case 3:
        return old / 2;
    case 4:
        return any >> random_below(random, 64);
    default:
        return limits[random_below(random, sizeof limits / sizeof limits[0])];
    }
}

uint32_t fuzz_float(uint64_t *random)
{
    static const uint32_t bits[] = {
        0x00000000, 0x80000000, /* zeros */
        0x00000001, 0x007FFFFF, /* subnormals */
        0x00800000, 0x7F7FFFFF, 0xFF7FFFFF, 0x3F800000,
        0xBF800000, 0x7F800000, 0xFF800000, /* infinities */
        0x7FC00000, 0x7F800001, 0xFFFFFFFF, /* NaNs */
        0x4B000000, 0x5F000000, 0x33800000,
    };
    uint32_t i = random_below(random, sizeof bits / sizeof bits[0] + 3);
    return i < sizeof bits / sizeof bits[0] ? bits[i] : (uint32_t)random_u64(random);
}

uint64_t fuzz_get(const uint8_t *data, size_t bytes)
{
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++) {
        value |= (uint64_t)data[i] << (8 * i);
    }
    return value;
}

void fuzz_put(uint8_t *data, uint64_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        data[i] = (uint8_t)(value >> (8 * i));
    }
}
