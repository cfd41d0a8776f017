/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owns what the kernel files share: the layouts of panels and tiles, the constants of the exact
 * number tricks, small inline helpers, and the declarations of everything that dispatch.c lists.
 */
#ifndef LF_KERNELS_INTERNAL_H
#define LF_KERNELS_INTERNAL_H

#include "kernels/kernels.h"

#include <math.h>
#include <string.h>

/* ---- CPU ------------------------------------------------------------------------------------- */

#if LF_ARCH_X86
/* The words of CPUID that matter here; 0 for leaves that the CPU lacks. */
typedef struct lf_cpuid {
    char vendor[12];
    uint32_t ecx1;         /* leaf 1 */
    uint32_t ebx7, ecx7;   /* leaf 7, subleaf 0 */
    uint32_t eax7_1;       /* leaf 7, subleaf 1 */
    uint32_t xcr0;         /* by XGETBV: register states that the operating system saves */
    uint32_t core_threads; /* leaf 0xb: logical processors of a core; 0 = not told */
} lf_cpuid;

lf_cpu lf_cpu_from_cpuid(const lf_cpuid *id);
#endif

/* ---- Layout of LF_LHS_I8B32 and LF_LHS_I8B16
 * -------------------------------------------------------- A row is, per block of 32 values, 14
 * dwords: up to six of constants and 8 x 4 quants. A tile of m rows is the first block of each row,
 * then the second of each, and so on: kernels read every operand as a broadcast from one stream,
 * and the tile of one row is the row.
 *
 * An int32 sum s that starts at LF_MAGIC_BITS is the bit pattern of the float LF_MAGIC + s as long
 * as |s| < 2^22 (the largest sum here is 32 * 127 * 128 = 520192). With a bias of -LF_MAGIC *
 * scale, which is exact because the scale has 22 significant bits, fma(LF_MAGIC + s, scale, bias)
 * is the correctly rounded s * scale: one instruction instead of a conversion and a product. */
enum {
    LF_X_INIT4,  /* int32: LF_MAGIC_BITS - 8 * sum of the quants */
    LF_X_INIT8,  /* int32: LF_MAGIC_BITS - 128 * sum of the quants */
    LF_X_SUM,    /* float: sum of the quants * scale, for minimums */
    LF_X_ZERO,   /* 0: LF_LHS_I8B16 needs six dwords here, and both have one size */
    LF_X_SCALE,  /* float, 22 significant bits */
    LF_X_BIAS,   /* float: -LF_MAGIC * scale */
    LF_X_QUANTS, /* 8 dwords of 4 int8 quants, -127..127 */
    LF_X_DWORDS = LF_X_QUANTS + 8,
    LF_X_BYTES = LF_X_DWORDS * 4
};
/* LF_LHS_I8B16 has a scale for each half of 16 values. */
enum {
    LF_X16_INIT6_LO, /* int32: LF_MAGIC_BITS - 32 * sum of the first 16 quants */
    LF_X16_INIT6_HI, /* int32: the same of the last 16 */
    LF_X16_SCALE_LO, /* float, as above; each is followed by its bias */
    LF_X16_BIAS_LO,
    LF_X16_SCALE_HI,
    LF_X16_BIAS_HI
};
/* LF_LHS_I16B32 and LF_LHS_I8X2B32: per block of 32 two constants and 16 dwords of quants, tiles as
 * above. LF_LHS_I16B32 has pairs of int16 quants, of each 4 values first the even ones, then the
 * odd ones; LF_LHS_I8X2B32 the upper int8 of 32 quants, then the lower ones. LF_X2_MOST = 127 *
 * 256, so that the upper one reaches 127. */
enum {
    LF_X2_INIT,  /* int32: -128 * sum of the quants */
    LF_X2_SCALE, /* float */
    LF_X2_QUANTS,
    LF_X2_DWORDS = LF_X2_QUANTS + 16,
    LF_X2_BYTES = LF_X2_DWORDS * 4
};
#define LF_X2_MOST    32512.0f
#define LF_MAGIC      12582912.0f /* 1.5 * 2^23 */
#define LF_MAGIC_BITS 0x4B400000

/* Blocks whose largest magnitude is below 2^-100 become zeros; at 2^110 and above, infinities and
 * NaN included, the scale becomes NaN so that the result cannot pass for a number. Bit patterns. */
#define LF_X_TINY 0x0D800000u
#define LF_X_HUGE 0x76800000u

/* ---- Panels of the own kernels: 16 columns ---------------------------------------------------
 * Codes are in groups of 4 consecutive k: byte 4 * c + j of a group of 64 bytes belongs to column c
 * and k0 + 4 * group + j.
 *
 * LF_W_Q4, per 64 k: 16 f16 scales of the first block of 32, 16 of the second, then per block 4
 * groups whose low nibbles are k 0..15 of the block and high nibbles k 16..31, nibble = code + 8.
 * LF_W_Q8, per 64 k: the same scales, then per block 8 groups of bytes = code + 128.
 * A last half superblock (k an odd multiple of 32) has scales for two and quants for one block.
 * LF_W_Q4K, per 256 k: 16 f16 d; 16 f16 dmin; three lines of 16 dwords that hold the column's 16
 * 6-bit factors, factor i (0..7: scale of block i, 8..15: minimum of block i - 8) at bit 6 * (i %
 * 5) of line i / 5 for i < 15, factor 15 in the top 2 bits of the three lines, lowest first; then
 * per block the 4 groups of nibbles of LF_W_Q4, nibble = code. LF_W_Q5K: the same, and after the
 * nibbles of a block 64 bytes whose bit i is bit 4 of the code of group i. LF_W_Q6K: first 16 f16 d
 * for each 256 k, rounded up to 64 bytes; then per 256 k: 16 times 16 int8 scales, and per block 4
 * groups of nibbles as above and twice 64 bytes whose bits 2 * i and 2 * i + 1 are bits 4 and 5 of
 * the code of group i (second time: i + 4); code + 32 is unsigned. LF_W_I8G, per 32 k: 16 f32
 * scales; if there are minimums, 16 f32; 8 groups of bytes = code + 128. Float formats: [k][16],
 * rounded up to 64 bytes. */
enum {
    LF_NR = 16,
    LF_Q4_QUANTS = 4 * 64, /* bytes of quants of a block of 32 */
    LF_Q8_QUANTS = 8 * 64,
    LF_Q4_SUPER = 64 + 2 * LF_Q4_QUANTS, /* bytes of 64 k */
    LF_Q8_SUPER = 64 + 2 * LF_Q8_QUANTS,
    LF_K_HEAD = 256, /* bytes before the quants of 256 k of a K format */
    LF_Q5K_QUANTS = LF_Q4_QUANTS + 64,
    LF_Q6K_QUANTS = LF_Q4_QUANTS + 128,
    LF_Q4K_SUPER = LF_K_HEAD + 8 * LF_Q4_QUANTS, /* bytes of 256 k */
    LF_Q5K_SUPER = LF_K_HEAD + 8 * LF_Q5K_QUANTS,
    LF_Q6K_SUPER = LF_K_HEAD + 8 * LF_Q6K_QUANTS
};

static inline size_t lf_ceil(size_t n, size_t to)
{
    return (n + to - 1) / to * to;
}

static inline uint32_t lf_bits(float f)
{
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    return u;
}

static inline float lf_float(uint32_t u)
{
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}

static inline uint32_t lf_load_u32(const void *p)
{
    uint32_t u;
    memcpy(&u, p, sizeof u);
    return u;
}

static inline float lf_load_f32(const void *p)
{
    return lf_float(lf_load_u32(p));
}

static inline uint16_t lf_load_u16(const void *p)
{
    uint16_t u;
    memcpy(&u, p, sizeof u);
    return u;
}

/* Rounded to the 22 significant bits that make LF_X_BIAS exact. */
static inline float lf_scale22(float scale)
{
    return lf_float((lf_bits(scale) + 2u) & ~3u);
}

/* Scale of a block from the bits of its largest magnitude. */
static inline float lf_block_scale(uint32_t amax)
{
    if (amax >= LF_X_HUGE) {
        return lf_float(0x7FC00000u);
    }
    return amax >= LF_X_TINY ? lf_scale22(lf_float(amax) * (1.0f / 127.0f)) : 0.0f;
}

/* The same of LF_LHS_I16B32 and LF_LHS_I8X2B32. */
static inline float lf_block_scale16(uint32_t amax)
{
    if (amax >= LF_X_HUGE) {
        return lf_float(0x7FC00000u);
    }
    return amax >= LF_X_TINY ? lf_float(amax) * (1.0f / LF_X2_MOST) : 0.0f;
}

/* The dwords before the quants of a block of LF_LHS_I8B32, from its scale and the sum of its
 * quants. */
static inline void lf_put_block(uint8_t *out, float scale, int32_t sum)
{
    const uint32_t head[LF_X_QUANTS] = {[LF_X_INIT4] = (uint32_t)(LF_MAGIC_BITS - 8 * sum),
                                        [LF_X_INIT8] = (uint32_t)(LF_MAGIC_BITS - 128 * sum),
                                        [LF_X_SUM] = lf_bits((float)sum * scale),
                                        [LF_X_SCALE] = lf_bits(scale),
                                        [LF_X_BIAS] = lf_bits(-LF_MAGIC * scale)};
    memcpy(out, head, sizeof head);
}

/* The same of a half of a block of LF_LHS_I8B16. */
static inline void lf_put_half(uint8_t *out, size_t half, float scale, int32_t sum)
{
    const uint32_t init = (uint32_t)(LF_MAGIC_BITS - 32 * sum);
    const uint32_t factors[2] = {lf_bits(scale), lf_bits(-LF_MAGIC * scale)};
    memcpy(out + (LF_X16_INIT6_LO + half) * 4, &init, sizeof init);
    memcpy(out + (LF_X16_SCALE_LO + 2 * half) * 4, factors, sizeof factors);
}

/* Exact; a signalling NaN becomes quiet, as F16C does it. */
static inline float lf_half_to_float(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000u) << 16;
    uint32_t rest = h & 0x7FFFu;
    if (rest >= 0x7C00u) {
        uint32_t quiet = rest > 0x7C00u ? 0x400000u : 0;
        return lf_float(sign | 0x7F800000u | (rest & 0x3FFu) << 13 | quiet);
    }
    if (rest >= 0x400u) {
        return lf_float(sign | ((rest << 13) + 0x38000000u));
    }
    /* Subnormal: rest * 2^-24, exact in float. */
    return lf_float(lf_bits((float)rest * 0x1p-24f) | sign);
}

/* Round to nearest even; NaN keeps its upper payload bits and becomes quiet, as F16C does it. */
static inline uint16_t lf_float_to_half(float f)
{
    uint32_t u = lf_bits(f);
    uint32_t sign = u >> 16 & 0x8000u;
    u &= 0x7FFFFFFFu;
    if (u > 0x7F800000u) {
        return (uint16_t)(sign | 0x7E00u | (u >> 13 & 0x3FFu));
    }
    if (u >= 0x477FF000u) { /* 65520 and above round to infinity */
        return (uint16_t)(sign | 0x7C00u);
    }
    if (u >= 0x38800000u) {
        return (uint16_t)(sign | ((u - 0x38000000u + 0xFFFu + (u >> 13 & 1u)) >> 13));
    }
    /* Subnormal: adding 2^-1 * 1 lets the float adder round at 2^-24. */
    return (uint16_t)(sign | (lf_bits(lf_float(u) + 0.5f) - 0x3F000000u));
}

/* ---- fma ---------------------------------------------------------------------------------------
 * x86-64 has no instruction for it in its baseline. C libraries have a routine, but musl's rounds
 * some subnormal results twice. The product of two floats is exact in double. The sum is rounded to
 * odd there: when it is inexact, its last bit becomes 1, so it never lies on a tie of floats, and
 * only the conversion to float rounds (Boldo and Melquiond). */
static inline float lf_fma(float a, float b, float c)
{
#if LF_ARCH_ARM64
    return __builtin_fmaf(a, b, c);
#else
    double product = (double)a * (double)b;
    double sum = product + (double)c;
    double part = sum - product;
    double left = (product - (sum - part)) + ((double)c - part); /* sum + left is exact */
    uint64_t bits;
    memcpy(&bits, &sum, sizeof bits);
    uint64_t even = ~bits & 1u;
    bits += left < 0 || left > 0 ? ((left > 0) == (sum > 0) ? even : 0 - even) : 0;
    memcpy(&sum, &bits, sizeof sum);
    return (float)sum;
#endif
}

/* ---- exp, one definition for all -------------------------------------------------------------
 * n = round(x * log2 e); r = x - n * ln 2 in two fused steps; a degree 6 polynomial, fused Horner;
 * then * 2^n as two factors, of which only the second can round. Error below 1 ulp on all floats,
 * subnormal results included; NaN stays NaN. */
#define LF_EXP_HIGH   89.0f   /* above: infinity */
#define LF_EXP_LOW    -104.0f /* below: zero */
#define LF_EXP_LOG2E  0x1.715476p+0f
#define LF_EXP_LN2_HI 0x1.62e430p-1f
#define LF_EXP_LN2_LO -0x1.05c610p-29f
#define LF_EXP_C2     0x1.fffffcp-2f
#define LF_EXP_C3     0x1.555492p-3f
#define LF_EXP_C4     0x1.5558aap-5f
#define LF_EXP_C5     0x1.12396cp-7f
#define LF_EXP_C6     0x1.6a522cp-10f

float lf_exp_scalar(float x);

/* The fixed order in which 16 lanes become one. */
static inline float lf_fold_sum(const float lane[LF_LANES])
{
    float t[8];
    for (size_t i = 0; i < 8; i++) {
        t[i] = lane[i] + lane[i + 8];
    }
    for (size_t n = 4; n > 0; n /= 2) {
        for (size_t i = 0; i < n; i++) {
            t[i] += t[i + n];
        }
    }
    return t[0];
}

/* ---- LF_KV_Q8 ---- */

/* Where the quants of dimension d at position j of a block stand. */
static inline size_t lf_q8_key(size_t d, size_t j)
{
    return (d / 2 * LF_ATTN_BLOCK + j) * 2 + d % 2;
}

static inline size_t lf_q8_value(size_t head_dim, size_t d, size_t j)
{
    return (j / 2 * head_dim + d) * 2 + j % 2;
}

/* Largest code of queries and weights: the sums of LF_ATTN_MOST_DIMS products with int8 quants stay
 * in an int32. */
#define LF_ATTN_CODE_MOST 32767.0f
_Static_assert((int64_t)LF_ATTN_MOST_DIMS * 32767 * 127 <= INT32_MAX, "the sums overflow");

/* Scale of numbers from the bits of their largest magnitude, which becomes the code `most`, and the
 * factor that makes quants of them: 0 where all quants are 0. */
static inline float lf_code_scale(uint32_t amax, float most, float *factor)
{
    const bool number = amax < 0x7F800000u;
    const bool some = number && amax >= 0x0D800000u; /* 2^-100: the factor is finite */
    *factor = some ? most / lf_float(amax) : 0.0f;
    return some ? lf_float(amax) / most : number ? 0.0f : lf_float(0x7FC00000u);
}

/* ---- What the files define --------------------------------------------------------------------
 */

/* scalar/pack.c, scalar/pack_k.c: panels of the own kernels. */
size_t lf_panel_bytes_q4(size_t k);
size_t lf_panel_bytes_q8(size_t k);
size_t lf_panel_bytes_q4k(size_t k);
size_t lf_panel_bytes_q5k(size_t k);
size_t lf_panel_bytes_q6k(size_t k);
size_t lf_panel_bytes_i8g(size_t k);
size_t lf_panel_bytes_i8gm(size_t k);
size_t lf_panel_bytes_f32(size_t k);
size_t lf_panel_bytes_f16(size_t k);
void lf_pack_q4(size_t k, const lf_panel_source *source, void *panel);
void lf_pack_q8(size_t k, const lf_panel_source *source, void *panel);
void lf_pack_q4k(size_t k, const lf_panel_source *source, void *panel);
void lf_pack_q5k(size_t k, const lf_panel_source *source, void *panel);
void lf_pack_q6k(size_t k, const lf_panel_source *source, void *panel);
void lf_pack_i8g(size_t k, const lf_panel_source *source, void *panel);
void lf_pack_f32(size_t k, const lf_panel_source *source, void *panel);
void lf_pack_f16(size_t k, const lf_panel_source *source, void *panel);

/* scalar/act.c */
extern const lf_lhs lf_lhs_f32_scalar, lf_lhs_i8b32_scalar, lf_lhs_i16b32_scalar,
    lf_lhs_i8x2b32_scalar, lf_lhs_i8b16_scalar;
size_t lf_row_bytes_f32(size_t k);
size_t lf_row_bytes_i8b32(size_t k);
size_t lf_tile_bytes_f32(size_t m, size_t k);
size_t lf_tile_bytes_i8b32(size_t m, size_t k);
size_t lf_row_bytes_x2(size_t k);
size_t lf_tile_bytes_x2(size_t m, size_t k);
void lf_tile_x2(size_t m, size_t k, const void *const *rows, void *tile);
void lf_quantize_f32(size_t k, const float *x, void *row);
void lf_tile_i8b32(size_t m, size_t k, const void *const *rows, void *tile);
void lf_tile_f32(size_t m, size_t k, const void *const *rows, void *tile);

/* Rows of the table of matrix kernels, by the file family that defines them. */
enum {
    LF_GEMMS_SCALAR = 10,
    LF_GEMMS_INT = 6,   /* LF_W_Q4, the two kinds of LF_W_I8G, LF_W_Q4K, LF_W_Q5K, LF_W_Q6K */
    LF_GEMMS_Q8 = 3,    /* LF_W_Q8 and the two kinds of LF_W_I8G */
    LF_GEMMS_K = 3,     /* LF_W_Q4K, LF_W_Q5K, LF_W_Q6K */
    LF_GEMMS_FLOAT = 3, /* LF_W_F32, LF_W_F16, LF_W_BF16 */
    LF_GEMMS_QB4W_X86 = 5,
    LF_GEMMS_F32_X86 = 4,
    LF_GEMMS_QB4W_ARM = 3
};
extern const lf_gemm lf_gemms_scalar[LF_GEMMS_SCALAR];
extern const lf_gemm lf_gemms_int_avx2[LF_GEMMS_INT], lf_gemms_int_avxvnni[LF_GEMMS_INT];
extern const lf_gemm lf_gemm_q8_avx2, lf_gemm_q8_avxvnni;
extern const lf_gemm lf_gemm_q4_avx512vnni, lf_gemms_q8_avx512vnni[LF_GEMMS_Q8],
    lf_gemms_k_avx512vnni[LF_GEMMS_K];
extern const lf_gemm lf_gemms_float_avx2[LF_GEMMS_FLOAT], lf_gemms_float_avx512[LF_GEMMS_FLOAT];

/* xnnpack/scalar.c, x86/xnnpack.c; the ops are those that are bit-equal to scalar. */
extern const lf_lhs lf_lhs_qd8_scalar, lf_lhs_qd8_sse41, lf_lhs_qd8_avx, lf_lhs_qd8_avx2,
    lf_lhs_qd8_avx512;
extern const lf_gemm lf_gemms_qb4w_x86[LF_GEMMS_QB4W_X86], lf_gemms_f32_x86[LF_GEMMS_F32_X86];
void lf_ops_xnnpack_x86(uint32_t cpu, lf_ops *ops);

/* arm/xnnpack.c: the same. */
extern const lf_lhs lf_lhs_qd8_neon;
extern const lf_gemm lf_gemms_qb4w_arm[LF_GEMMS_QB4W_ARM], lf_gemm_f32_neonfma;
void lf_ops_xnnpack_arm(uint32_t cpu, lf_ops *ops);

/* x86/act_*.c */
extern const lf_lhs lf_lhs_i8b32_avx2, lf_lhs_i8b32_avx512, lf_lhs_i16b32_avx2, lf_lhs_i8x2b32_avx2,
    lf_lhs_i8b16_avx2, lf_lhs_i8b16_avx512;

/* scalar/peak.c: both halves; x86/ and arm/peak_*.c: read, dot (with dot_ops), or both. */
extern const lf_peak lf_peak_scalar, lf_peak_avx2, lf_peak_avxvnni, lf_peak_avx512,
    lf_peak_avx512vnni, lf_peak_neon, lf_peak_neondot, lf_peak_neoni8mm;

/* scalar/ops.c, x86/ops_*.c: every slot. */
extern const lf_ops lf_ops_scalar, lf_ops_avx2, lf_ops_avx512;
/* scalar/attn.c, x86/attn_q8_*.c */
lf_attn_fn lf_attn_f16_scalar, lf_attn_f32_scalar, lf_attn_q8_scalar, lf_attn_q8_avx2,
    lf_attn_q8_avxvnni, lf_attn_q8_avx512, lf_attn_q8_avx512vnni;
lf_kv_query_fn lf_kv_query_q8_scalar;
lf_kv_store_fn lf_kv_store_f16_scalar, lf_kv_store_f32_scalar, lf_kv_store_q8_scalar;

#endif /* LF_KERNELS_INTERNAL_H */
