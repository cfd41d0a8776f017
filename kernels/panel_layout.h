/* SPDX-License-Identifier: Apache-2.0 */
/* Layouts of the panels of this library's own kernels, and their packing (scalar/pack.c,
 * scalar/pack_k.c, scalar/pack_lowk.c). XNNPACK's panels are in xnnpack/bind.h. */
#ifndef LF_KERNELS_PANEL_LAYOUT_H
#define LF_KERNELS_PANEL_LAYOUT_H

#include "kernels/kernels.h"

/*
 * A panel has 16 columns. Quants are in groups of 4 consecutive k: byte 4 * c + j of a group of 64
 * bytes belongs to column c and to k0 + 4 * group + j.
 *
 * - LF_W_Q4, per 64 k: 16 f16 scales of the first block of 32, 16 of the second, then per block
 *   4 groups whose low nibbles are k 0..15 of the block and whose high nibbles are k 16..31. A
 *   nibble is quant + 8.
 * - LF_W_Q8, per 64 k: the same scales, then per block 8 groups of bytes, quant + 128.
 * - LF_W_Q4K, per 256 k: 16 f16 d; 16 f16 dmin; three lines of 16 dwords, one dword a column,
 *   with the 16 6-bit factors of the column; then per block the 4 groups of nibbles of LF_W_Q4,
 *   where a nibble is the quant. Factors 0..7 are the scales of the blocks, 8..15 their
 *   minimums. Factor i < 15 is at bit 6 * (i % 5) of line i / 5; factor 15 is in the top 2 bits
 *   of the three lines, lowest bits first.
 * - LF_W_Q5K: the same head; then per block five lines of 64 bytes. The low 5 bits of line i are
 *   the quants of group i. Bits 5 to 7 of lines 0, 2 and 4 are the upper 3 bits of the quants of
 *   groups 5, 6 and 7. Bits 6 and 7 of lines 1 and 3 are the lower 2 bits of groups 5 and 6; bit 5
 *   of line 1 is bit 0 of group 7, bit 5 of line 3 its bit 1.
 * - LF_W_Q6K: first 16 f16 d for each 256 k, rounded up to 64 bytes. Then, per 256 k, [16][16]
 *   int8 scales, and per 16 k three lines of 64 bytes. The low 6 bits of line i are the quants of
 *   group i; the top 2 bits of the lines, the first line's first, are those of group 3. A quant is
 *   stored as quant + 32.
 * - LF_W_I8G, per 32 k: 16 f32 scales; 16 f32 minimums if the format has them; 8 groups of
 *   bytes, quant + 128.
 * - LF_W_I8G16, per 32 k: 16 f32 scales of the first 16 k, 16 of the last; 16 f32 minimums / 32 of
 *   the first, 16 of the last, if the format has them; 8 groups of bytes as in LF_W_I8G.
 * - LF_W_Q2K, per 256 k: 16 f16 d; 16 f16 dmin; 16 times 16 bytes with the scale (low nibble) and
 *   the minimum of 16 k; then per 32 k two lines of 64 bytes, one for 16 k: bits 2 * i and
 *   2 * i + 1 are the quants of their group i.
 * - LF_W_Q3K: first 16 f16 d for each 256 k, rounded up to 64 bytes; then per 256 k three lines
 * with the scales, as LF_W_Q4K has its factors, and per 32 k three lines of 64 bytes: bits 0 to 2
 * of line i are the quants of group 2 * i, bits 4 to 6 those of group 2 * i + 1; bits 3 and 7 of
 * line i are bit i of the quants of groups 6 and 7. A quant is stored as quant + 4.
 * - LF_W_IQ3S: first 16 f16 d for each 256 k, rounded up to 64 bytes; then per 256 k 16 dwords, one
 * a column, bits 4 * b and up of which are the scale of block b of 32; per group of 4 k 8 bytes,
 * bit 4 * c + j of which is the sign of k0 + j of column c; per group 16 bytes, the lower 8 bits of
 * the columns' positions in lf_iq3s_grid; per block 16 bytes, bit g of which is the ninth bit of
 * the positions of group g. A value of the block is (2 * scale + 1) * d * quant.
 * - LF_W_T4: 16 bytes, the distinct quants of the panel + 128, four times; then per 32 k 16 f32
 *   scales and 4 groups of nibbles in the order of LF_W_Q4. A nibble is an index into the 16 bytes.
 * - LF_W_T4G16: the same with quants + 32, and per 32 k 16 f16 scales of the first 16 k and 16 of
 *   the last.
 * - LF_W_F32, LF_W_F16, LF_W_BF16: [k][16], rounded up to 64 bytes.
 *
 * A panel of LF_W_I8G or LF_W_I8G16 is the sequence of the panels of each 32 k.
 *
 * If k is an odd multiple of 32, the last superblock of LF_W_Q4 and LF_W_Q8 has the scales of two
 * blocks and the quants of one.
 */
enum {
    LF_NR = 16,
    LF_Q4_QUANTS = 4 * 64, /* bytes of quants of a block of 32 */
    LF_Q8_QUANTS = 8 * 64,
    LF_Q4_SUPER = 64 + 2 * LF_Q4_QUANTS, /* bytes of 64 k */
    LF_Q8_SUPER = 64 + 2 * LF_Q8_QUANTS,
    LF_K_HEAD = 256, /* bytes before the quants of 256 k of a K format */
    LF_Q5K_QUANTS = 5 * 64,
    LF_Q6K_QUANTS = 6 * 64,
    LF_Q4K_SUPER = LF_K_HEAD + 8 * LF_Q4_QUANTS, /* bytes of 256 k */
    LF_Q5K_SUPER = LF_K_HEAD + 8 * LF_Q5K_QUANTS,
    LF_Q6K_SUPER = LF_K_HEAD + 8 * LF_Q6K_QUANTS,
    LF_Q2K_HEAD = 64 + 16 * LF_NR,
    LF_Q3K_HEAD = 3 * 64,
    LF_Q2K_QUANTS = 2 * 64,
    LF_Q3K_QUANTS = 3 * 64,
    LF_Q2K_SUPER = LF_Q2K_HEAD + 8 * LF_Q2K_QUANTS,
    LF_Q3K_SUPER = LF_Q3K_HEAD + 8 * LF_Q3K_QUANTS,
    LF_T4_TABLE = 64,
    LF_T4_BLOCK = 64 + LF_Q4_QUANTS, /* bytes of 32 k */
    LF_IQ3S_SIGNS = 64,              /* where they begin in the bytes of 256 k */
    LF_IQ3S_INDEX = LF_IQ3S_SIGNS + 64 * 8,
    LF_IQ3S_HIGH = LF_IQ3S_INDEX + 64 * LF_NR,
    LF_IQ3S_SUPER = LF_IQ3S_HIGH + 8 * LF_NR
};

size_t lf_panel_bytes_q4(size_t k);
size_t lf_panel_bytes_q8(size_t k);
size_t lf_panel_bytes_q2k(size_t k);
size_t lf_panel_bytes_q3k(size_t k);
size_t lf_panel_bytes_iq3s(size_t k);
size_t lf_panel_bytes_q4k(size_t k);
size_t lf_panel_bytes_q5k(size_t k);
size_t lf_panel_bytes_q6k(size_t k);
size_t lf_panel_bytes_i8g(size_t k);  /* without minimums */
size_t lf_panel_bytes_i8gm(size_t k); /* with minimums */
size_t lf_panel_bytes_i8g16(size_t k);
size_t lf_panel_bytes_i8g16m(size_t k);
size_t lf_panel_bytes_t4(size_t k);
size_t lf_panel_bytes_t4g16(size_t k);
size_t lf_panel_bytes_f32(size_t k);
size_t lf_panel_bytes_f16(size_t k); /* also of LF_W_BF16 */
void lf_pack_q4(size_t k, const lf_panel_source *source, void *panel);
void lf_pack_q8(size_t k, const lf_panel_source *source, void *panel);
void lf_pack_q2k(size_t k, const lf_panel_source *source, void *panel);
void lf_pack_q3k(size_t k, const lf_panel_source *source, void *panel);
void lf_pack_iq3s(size_t k, const lf_panel_source *source, void *panel);
void lf_pack_q4k(size_t k, const lf_panel_source *source, void *panel);
void lf_pack_q5k(size_t k, const lf_panel_source *source, void *panel);
void lf_pack_q6k(size_t k, const lf_panel_source *source, void *panel);
void lf_pack_i8g(size_t k, const lf_panel_source *source,
                 void *panel); /* with and without minimums */
void lf_pack_i8g16(size_t k, const lf_panel_source *source,
                   void *panel); /* with and without minimums */
void lf_pack_t4(size_t k, const lf_panel_source *source, void *panel);
void lf_pack_t4g16(size_t k, const lf_panel_source *source, void *panel);
void lf_pack_f32(size_t k, const lf_panel_source *source, void *panel);
void lf_pack_f16(size_t k, const lf_panel_source *source, void *panel); /* also LF_W_BF16 */

/* The codebook of IQ3_S: 4 magnitudes, each plus 128 in a byte; the same in fields of 3 bits, of
 * which f stands for 2 * f + 1. */
extern const uint32_t lf_iq3s_grid[512];
extern const uint16_t lf_iq3s_fields[512];

#endif /* LF_KERNELS_PANEL_LAYOUT_H */
