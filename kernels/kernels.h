/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The interface of the micro-kernels. They compute; they do not allocate, start threads, open files
 * or keep state.
 *
 * Arithmetic contract of the `scalar` and `lfm2` providers: for each operation kernels/scalar
 * defines one sequence of IEEE operations per result. Every ISA follows it, so that results are
 * bit-equal on every machine. Integer dot products are exact. A multiply-add written fma is fused
 * (fmaf). Reductions have 16 lanes that are folded in a fixed order. No result depends on how many
 * rows share a call. XNNPACK's kernels follow XNNPACK's own arithmetic unless they are marked
 * exact.
 */
#ifndef LF_KERNELS_H
#define LF_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* CPU features; the values are those of LFM2_CPU_* in lfm2.h. */
enum {
    LF_CPU_AVX2 = 1,
    LF_CPU_AVXVNNI = 2,
    LF_CPU_AVX512 = 4,
    LF_CPU_AVX512VNNI = 8,
    LF_CPU_AVX512BF16 = 16,
    LF_CPU_GFNI = 32,
    LF_CPU_SSE41 = 64,
    LF_CPU_AVX = 128,
    LF_CPU_NEON = 256,
    LF_CPU_DOTPROD = 512,
    LF_CPU_I8MM = 1024
};

typedef enum { LF_PROVIDER_SCALAR, LF_PROVIDER_LFM2, LF_PROVIDER_XNNPACK } lf_provider;

/* ---- Panel formats: what a packed weight matrix holds ---- */

/* A panel holds nr consecutive output columns (rows of the GGUF matrix), all of k. */
typedef enum {
    LF_W_F32,
    LF_W_F16,
    LF_W_BF16,
    LF_W_Q4,    /* unsigned 4-bit quants with zero point 8, an f16 scale per 32 (Q4_0) */
    LF_W_Q8,    /* int8 quants, an f16 scale per 32 (Q8_0) */
    LF_W_Q4K,   /* Q4_K: unsigned 4-bit quants; per 256 f16 d and dmin, per 32 a 6-bit scale (of d)
                   and minimum (of dmin) */
    LF_W_Q5K,   /* Q5_K: the same with 5-bit quants */
    LF_W_Q6K,   /* Q6_K: 6-bit quants with zero point 32; per 256 an f16 d, per 16 an int8 scale */
    LF_W_I8G,   /* int8 quants, per 32 an f32 scale, and optionally an f32 minimum: any other block
                   format with scales per 32, exactly */
    LF_W_I8G16, /* the same per 16 */
    LF_W_Q2K,   /* Q2_K: unsigned 2-bit quants; per 256 f16 d and dmin, per 16 a 4-bit scale (of d)
                   and   minimum (of dmin) */
    LF_W_Q3K,   /* Q3_K: 3-bit quants with zero point 4; per 256 an f16 d, per 16 a 6-bit scale with
                   zero point 32 */
    LF_W_IQ3S, /* IQ3_S: vectors of 4 out of a codebook, and signs; per 256 an f16 d, per 32 a 4-bit
                  scale */
    LF_W_T4,   /* at most 16 distinct int8 quants, an f32 scale per 32: IQ4_NL, IQ4_XS, MXFP4 */
    LF_W_T4G16, /* at most 16 distinct quants from -32 to 31, an f16 scale per 16: NVFP4 */
    LF_W_COUNT
} lf_wformat;

/* ---- LHS formats: what a row of f32 activations becomes before the multiplication ---- */

typedef enum {
    LF_LHS_F32,     /* f32, unchanged */
    LF_LHS_I8B32,   /* symmetric int8, one f32 scale per 32, with the block's sum of quants */
    LF_LHS_I16B32,  /* symmetric int16, one f32 scale per 32: for Q8_0; int8 would add an error at
                       least as large as that of Q8_0 */
    LF_LHS_I8X2B32, /* the same quants, each as 256 * upper + lower int8 */
    LF_LHS_I8B16,   /* symmetric int8, one f32 scale per 16: for weights with scales per 16 */
    LF_LHS_QD8,     /* XNNPACK's qd8: asymmetric int8, one scale and zero point a row */
    LF_LHS_COUNT
} lf_lhs_format;

/* A row is quantized once, for all matrices that read it; up to mr quantized rows are packed into
 * a tile for one call of a matrix kernel. The tile of one row is the quantized row. */
typedef struct lf_lhs {
    const char *name;
    lf_provider provider;
    uint32_t needs; /* LF_CPU_* bits */
    /* Bytes of a block, if the format quantizes and packs each 32 values independently; else 0.
     * With such a format, quantize of m * 32 values makes the blocks of m rows of 32, one after
     * another. Packing block by block makes the tile of the rows. Neither exceeds m blocks. */
    size_t block_bytes;
    bool stacked; /* rows that are row_bytes apart form a packed tile as they are */
    size_t (*row_bytes)(size_t k); /* of a quantized row; a multiple of 64 */
    void (*quantize)(size_t k, const float *x, void *row);
    /* Of a packed tile; a multiple of 64. Includes the bytes past the end that kernels may read. */
    size_t (*tile_bytes)(size_t m, size_t k);
    void (*pack)(size_t m, size_t k, const void *const *rows, void *tile);
} lf_lhs;

/* ---- Matrix kernels ---- */

/* How to prefetch what a kernel reads: distances in bytes, 0: no prefetch. It changes no result,
 * and a kernel may ignore it (README). Attention prefetches into the first level cache at distance
 * l1 and, if l2 is not 0, the block that is read next into the second. */
typedef struct lf_prefetch_policy {
    uint16_t l1, l2;    /* of every line, into the first and the second level cache */
    uint16_t sparse_l2; /* of one line of each stretch of 0.5 KB or more, into the second */
} lf_prefetch_policy;

/* The policies to choose from. */
enum { LF_PREFETCH_POLICIES = 8 };
typedef struct lf_prefetch_entry {
    const char *name;
    lf_prefetch_policy policy;
    bool attention; /* not the same as another policy for attention */
} lf_prefetch_entry;
extern const lf_prefetch_entry lf_prefetch_table[LF_PREFETCH_POLICIES];

/* The rule by which a CPU chooses the policy to start with, before any is measured. */
typedef enum {
    LF_PREFETCH_COMMON, /* every CPU without a rule of its own */
    LF_PREFETCH_AMD256, /* AMD with AVX2, without AVX-512 */
    LF_PREFETCH_AMD512  /* AMD with AVX-512 */
} lf_prefetch_rule;

/* c = tile * panels: c[m][n], row i at c + i * c_stride floats. n is any number of columns: the
 * last panel may be partial. `tile` is a packed tile of m rows, 1 <= m <= mr. `panels` are ceil(n /
 * nr) panels of panel_bytes(k) each, in order. */
typedef void (*lf_gemm_fn)(size_t m, size_t n, size_t k, const void *tile, const void *panels,
                           float *c, size_t c_stride, lf_prefetch_policy policy);

/* Source of one panel for packing: `rows` rows of the GGUF matrix, nr or, in the last panel, fewer;
 * missing rows are packed as zeros. Float formats and kernels with `raw_blocks` take `raw`, the
 * others quants, scales and mins. */
typedef struct lf_panel_source {
    uint32_t rows;
    const int8_t *quants; /* [rows][k] */
    const float *scales;  /* [rows][k / 32]; LF_W_I8G16: [rows][k / 16] */
    const float *mins;    /* as many, or NULL: value = scale * quant - min */
    const void *raw;      /* the bytes of the rows in GGUF, one row after another; quants is NULL */
} lf_panel_source;

enum { LF_MAX_MR = 16, LF_MAX_NR = 64 }; /* the largest tiles of the table */
enum { LF_MAX_BLOCK_BYTES = 128 };       /* the largest lf_lhs.block_bytes */

typedef struct lf_gemm {
    const char *name; /* <in>_<out>_<weights>_gemm_<mr>x<nr>[c<kr>]__<isa> */
    const char *isa;
    lf_provider provider;
    uint32_t needs; /* LF_CPU_* bits */
    lf_wformat weights;
    lf_lhs_format lhs;
    bool mins; /* LF_W_I8G, LF_W_I8G16: the panel has minimums */
    uint32_t mr, nr;
    uint32_t kr; /* XNNPACK int4: consecutive k of a column in a panel; 4 for panels of bytes
                    that contain the quants themselves (arm/neon.h); otherwise 0 */
    uint32_t k_multiple; /* k must be a multiple of this */
    bool raw_blocks;     /* pack takes raw blocks of the format; for Q4_0 and Q8_0 also quants */
    bool exact;          /* follows the arithmetic contract above bit for bit */
    size_t (*panel_bytes)(size_t k); /* multiple of 64 */
    void (*pack)(size_t k, const lf_panel_source *source, void *panel);
    lf_gemm_fn fn;
    /* For a panel that many tiles use: `unpack` separates its quants and scales once for all of
     * them, and `unpacked_fn` is fn for unpacked panels, with the same results. NULL for kernels
     * that gain nothing by it. */
    size_t (*unpacked_bytes)(size_t k); /* of a panel; a multiple of 64 */
    void (*unpack)(size_t k, const void *panel, void *unpacked);
    lf_gemm_fn unpacked_fn;
} lf_gemm;

/* ---- Everything else ---- */

enum {
    LF_ATTN_BLOCK = 64,     /* positions of a KV block */
    LF_ATTN_MOST_DIMS = 512 /* of a head, in LF_KV_Q8 */
};

/* Types of the KV cache; the values are those of LFM2_KV_* in lfm2.h. */
typedef enum { LF_KV_F16, LF_KV_F32, LF_KV_Q8, LF_KV_COUNT } lf_kv_type;

enum { LF_KV_SCALES = LF_ATTN_BLOCK * 4 }; /* bytes of the scales of a block of LF_KV_Q8 */

/* Bytes of a KV block, a multiple of 64. A KV block holds LF_ATTN_BLOCK positions of the keys, or
 * of the values, of one KV head: keys transposed, [head_dim][LF_ATTN_BLOCK], values as
 * [LF_ATTN_BLOCK][head_dim]. LF_KV_Q8 has LF_ATTN_BLOCK f32 scales, one for each position, then
 * int8 quants in pairs. The quants of keys are [head_dim / 2][LF_ATTN_BLOCK][2], those of values
 * [LF_ATTN_BLOCK / 2][head_dim][2]. A value is quant * scale. head_dim is even and at most
 * LF_ATTN_MOST_DIMS. */
static inline size_t lf_kv_block_bytes(lf_kv_type type, size_t head_dim)
{
    const size_t values = LF_ATTN_BLOCK * head_dim;
    switch (type) {
    case LF_KV_F32:
        return values * sizeof(float);
    case LF_KV_Q8:
        return LF_KV_SCALES + values;
    default:
        return values * sizeof(uint16_t);
    }
}

/* Attention state of m query rows: running maximum, running sum, weighted values. */
typedef struct lf_attn_state {
    float *max; /* [m]; start: -INFINITY */
    float *sum; /* [m]; start: 0 */
    float *acc; /* [m][head_dim], rows acc_stride floats apart; start: 0 */
    size_t acc_stride;
} lf_attn_state;

/* A block of K and of V, and the blocks that are likely to be read next, which attention
 * prefetches; they need not be readable. */
typedef struct lf_kv_blocks {
    const void *k, *v;
    const void *next_k, *next_v;
    lf_prefetch_policy prefetch;
} lf_kv_blocks;

/* Converts a scaled query, [head_dim] floats, in place to what attn of the same KV type takes;
 * NULL: attn takes the floats. LF_KV_Q8: head_dim int16 quants, then an f32 scale; value = quant *
 * scale, quantized like keys in lf_kv_store_fn but with 32767 instead of 127. */
typedef void lf_kv_query_fn(size_t head_dim, float *q);

/* Attention of m query rows of one KV head over one KV block. q: m rows of head_dim floats,
 * converted by `query`, q_stride floats apart. valid[i] (0..64): row i attends to the first
 * valid[i] positions; the contents of the others, NaNs included, do not affect the result; 0 leaves
 * the row's state unchanged.
 *
 * Per row, in this order: s_j = sum over d ascending, fma, of q_d and the stored number;
 * m' = max(m, s); alpha = exp(m - m'); p_j = exp(s_j - m'); sum = fma(sum, alpha, lane-folded sum
 * of p); acc_d = acc_d * alpha, then fma over j ascending of p_j and the stored number.
 *
 * LF_KV_Q8: w_j = p_j * scale of V is quantized like a query, over the positions the row attends
 * to. With exact sums of products of quants, s_j = sum * scale of q * scale of K (in that order)
 * and acc_d = fma(sum, scale of w, acc_d * alpha). */
typedef void lf_attn_fn(size_t m, size_t head_dim, const float *q, size_t q_stride,
                        const uint32_t *valid, const lf_kv_blocks *kv, const lf_attn_state *state);

/* Writes k and v, [head_dim] each, to position j of their blocks. LF_KV_F16 rounds to nearest even.
 * LF_KV_Q8: scale = largest magnitude / 127, quant = x * (127 / largest magnitude) rounded to
 * nearest even; all zeros if the largest magnitude is below 2^-100; a NaN scale if it is not
 * finite. */
typedef void lf_kv_store_fn(size_t head_dim, size_t j, const float *k, const float *v,
                            void *k_block, void *v_block);

typedef struct lf_kv {
    lf_kv_store_fn *store;
    lf_kv_query_fn *query;
    lf_attn_fn *attn;
} lf_kv;

typedef struct lf_ops {
    /* out[i] = x[i] * w[i] * (1 / sqrt(mean(x^2) + eps)); out may be x. */
    void (*rmsnorm)(size_t n, const float *x, const float *w, float eps, float *out);
    void (*add)(size_t n, const float *x, float *y);            /* y += x */
    void (*axpy)(size_t n, float a, const float *x, float *y);  /* y = fma(a, x, y) */
    void (*scale)(size_t n, float a, const float *x, float *y); /* y = a * x; y may be x */
    /* y[i] += sum over r < m of a[r] * x[r][i], m > 0: a product, then fma for r ascending, then
     * the addition; y does not overlap any x. */
    void (*combine)(size_t n, size_t m, const float *a, const float *const *x, float *y);
    void (*swiglu)(size_t n, const float *gate, const float *up, float *out); /* silu(gate) * up */
    void (*sigmoid)(size_t n, const float *x, float *out);                    /* out may be x */
    /* Gated convolution of one token, channels [first, end) of n. bcx: [3][n] = B, C, X. u = B * X
     * is written to u_now[n]; past[t][n] (t < taps - 1, oldest first) are the u of the previous
     * tokens; kernel is [taps][n], oldest tap first. out[n] = C * (sum over taps, oldest first,
     * fma). */
    void (*conv)(size_t first, size_t end, size_t n, size_t taps, const float *bcx,
                 const float *const *past, const float *kernel, float *u_now, float *out);
    /* Rotates pairs (i, i + head_dim / 2) of one head in place; cos, sin: [head_dim / 2]. */
    void (*rope)(size_t head_dim, const float *cos, const float *sin, float *x);
    void (*f32_to_f16)(size_t n, const float *x, uint16_t *y); /* round to nearest even */
    void (*f16_to_f32)(size_t n, const uint16_t *x, float *y);
    void (*bf16_to_f32)(size_t n, const uint16_t *x, float *y);
    lf_kv kv[LF_KV_COUNT];
    float (*max)(size_t n, const float *x);
    /* sum over i of exp(x[i] - shift), lane-folded; out[i] = the term, out may be NULL */
    float (*sum_exp)(size_t n, const float *x, float shift, float *out);
} lf_ops;

/* ---- Peak loops ---- */

enum { LF_PEAK_X = -77, LF_PEAK_W = 90, LF_PEAK_STEP = 512 };

/* Loops that find the limits of a core. The value that they return depends on every step, so that
 * the compiler cannot omit any. It is the same on every ISA. */
typedef struct lf_peak {
    const char *read_isa, *dot_isa;
    /* Loads `bytes` (a multiple of LF_PEAK_STEP) from p (aligned to 64) and returns the sum of the
     * 64-bit words. Unless `distance` is 0, prefetches at that distance into the first level cache
     * and at twice the distance into the second. */
    uint64_t (*read)(const void *p, size_t bytes, size_t distance);
    /* Each round computes dot_ops / 2 products LF_PEAK_X * LF_PEAK_W in registers, with the
     * instructions of the int8 kernels. Returns the low bits of the sum of all rounds. */
    uint16_t (*dot)(size_t rounds);
    size_t dot_ops; /* multiplications and additions of a round */
} lf_peak;

/* ---- The table ---- */

typedef enum { LF_PICK_AUTO, LF_PICK_SCALAR, LF_PICK_OWN, LF_PICK_XNNPACK } lf_pick;

/* Filled once per runtime; read-only afterwards. */
typedef struct lf_kernels {
    uint32_t cpu; /* LF_CPU_* in use */
    lf_pick pick;
    lf_ops ops;
    lf_lhs lhs[LF_LHS_COUNT];
    lf_peak peak;
} lf_kernels;

typedef struct lf_cpu {
    uint32_t features;         /* LF_CPU_* that the CPU has and the operating system supports */
    lf_prefetch_rule prefetch; /* by vendor and generation */
    uint32_t threads_per_core; /* 1 where it is unknown */
} lf_cpu;

/* By CPUID on x86-64 and by the process's auxiliary vector on arm64; reads no file. */
lf_cpu lf_cpu_detect(void);

/* Removes `disable` from `cpu`, and every feature that needs a removed one. */
uint32_t lf_cpu_without(uint32_t cpu, uint32_t disable);

/* Chooses kernels for `cpu`. */
void lf_kernels_init(lf_kernels *table, uint32_t cpu, lf_pick pick);

/* The index of the policy to start with, for `rows` rows and for attention. */
uint32_t lf_prefetch_start(lf_prefetch_rule rule, lf_wformat weights, uint32_t rows);
uint32_t lf_prefetch_start_attention(void);

/* All matrix kernels of the build, in a fixed order; NULL past the end. */
const lf_gemm *lf_gemm_at(uint32_t index);

/* The kernel that this table uses for a weight format at inner size k; `mins` matters for LF_W_I8G
 * and LF_W_I8G16 only. Never NULL: the scalar kernels take every k that the format allows. */
const lf_gemm *lf_gemm_pick(const lf_kernels *table, lf_wformat weights, bool mins, size_t k);

#endif /* LF_KERNELS_H */
