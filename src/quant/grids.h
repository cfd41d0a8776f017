/* SPDX-License-Identifier: Apache-2.0 */
/* Private to src/quant: the codebooks of the IQ formats (grids.c is written by make_grids.py).
 * An entry holds one vector: element i is bits 2i and 2i + 1 (IQ3: bits 3i to 3i + 2), the position
 * of its value in the list given here. */
#ifndef LF_QUANT_GRIDS_H
#define LF_QUANT_GRIDS_H

#include <stdint.h>

extern const uint16_t lf_grid_iq2_xxs[256]; /* vectors of 8: 8, 25, 43 */
extern const uint16_t lf_grid_iq2_xs[512];
extern const uint16_t lf_grid_iq2_s[1024];
extern const uint16_t lf_grid_iq3_xxs[256]; /* vectors of 4: 4, 12, 20, 28, 36, 44, 52, 62 */
extern const uint16_t lf_grid_iq3_s[512];   /* vectors of 4: 1, 3, 5, 7, 9, 11, 13, 15 */
extern const uint16_t lf_grid_iq1[2048];    /* IQ1_S and IQ1_M, vectors of 8: -1, 0, 1 */

#endif /* LF_QUANT_GRIDS_H */
