/* SPDX-License-Identifier: Apache-2.0 */
/* Private to src/quant: four floats or integers at once, in the compilers' portable vectors. They
 * need no instruction set beyond the base one and give the same results on every machine. */
#ifndef LF_QUANT_LANES_H
#define LF_QUANT_LANES_H

#include <stdbool.h>
#include <stdint.h>

typedef float f4 __attribute__((vector_size(16)));
typedef int32_t i4 __attribute__((vector_size(16)));

static inline f4 all(float v)
{
    return (f4){v, v, v, v};
}

static inline i4 all_int(int32_t v)
{
    return (i4){v, v, v, v};
}

/* `mask` is all ones or all zeros in a lane. */
static inline f4 choose(i4 mask, f4 yes, f4 no)
{
    return (f4)((mask & (i4)yes) | (~mask & (i4)no));
}

static inline f4 magnitudes(f4 v)
{
    return (f4)((i4)v & all_int(INT32_MAX));
}

static inline bool any(i4 mask)
{
    return (mask[0] | mask[1] | mask[2] | mask[3]) != 0;
}

/* lf_round_even, then limited to low..high. */
static inline i4 round_lanes(f4 v, int32_t low, int32_t high)
{
    i4 l = ((i4)(v + all(12582912.0f)) & all_int(0x007fffff)) - all_int(0x00400000);
    i4 below = l < all_int(low);
    l = (below & all_int(low)) | (~below & l);
    i4 above = l > all_int(high);
    return (above & all_int(high)) | (~above & l);
}

/* |v| < 2^22. */
static inline f4 float_lanes(i4 v)
{
    return (f4)(v + all_int(0x4b400000)) - all(12582912.0f);
}

#endif /* LF_QUANT_LANES_H */
