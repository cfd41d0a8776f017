/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of micro-kernels. Arithmetic only: nothing here allocates, starts threads, opens files
 * or keeps state, and nothing is included from src/.
 *
 * Arithmetic contract of the `scalar` and `lfm2` providers: for each operation kernels/scalar
 * defines one sequence of IEEE operations per result, and every ISA follows it, so that results are
 * bit-equal on every machine: integer dot products are exact; a multiply-add written fma is fused
 * (fmaf); reductions run in 16 lanes that are folded in a fixed order; nothing depends on how many
 * rows share a call. XNNPACK rows follow XNNPACK's own arithmetic unless they are marked exact.
 */
#ifndef LF_KERNELS_H
#define LF_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* CPU features, the values of LFM2_CPU_* in lfm2.h. */
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

typedef enum { LF_BY_SCALAR, LF_BY_LFM2, LF_BY_XNNPACK } lf_provider;

/* ---- Panel formats: what a packed weight matrix holds --------------------------------------- */

/* A panel holds nr consecutive output columns (rows of the GGUF matrix), all of k. */
typedef enum {
    LF_W_F32,
    LF_W_F16,
    LF_W_BF16,
    LF_W_Q4,  /* unsigned 4-bit quants with zero point 8, an f16 scale per 32 (Q4_0) */
    LF_W_Q8,  /* int8 quants, an f16 scale per 32 (Q8_0) */
    LF_W_Q4K, /* Q4_K: unsigned 4-bit quants; per 256 f16 d and dmin, per 32 a 6-bit scale (of d)
                 and minimum (of dmin) */
    LF_W_Q5K, /* Q5_K: the same with 5-bit quants */
    LF_W_Q6K, /* Q6_K: 6-bit quants with zero point 32; per 256 an f16 d, per 16 an int8 scale */
    LF_W_I8G, /* int8 quants, per 32 an f32 scale, and optionally an f32 minimum: any other block
                 format, exactly */
    LF_W_COUNT
} lf_wformat;

/* ---- Activation formats: what one row of f32 becomes before the multiplication -------------- */

typedef enum {
    LF_LHS_F32,     /* as is */
    LF_LHS_I8B32,   /* symmetric int8, one f32 scale per 32, with the block's sum of quants */
    LF_LHS_I16B32,  /* symmetric int16, one f32 scale per 32: for Q8_0, whose own error is no larger
                     than  that of int8 */
    LF_LHS_I8X2B32, /* the same numbers, each code as 256 * upper + lower int8 */
    LF_LHS_I8B16,   /* symmetric int8, one f32 scale per 16: for weights with scales per 16 */
    LF_LHS_QD8,     /* XNNPACK's qd8: asymmetric int8, one scale and zero point a row */
    LF_LHS_COUNT
} lf_lhs_format;

/* Each activation format has a row form (made once per row, kept for as many matrices as read it)
 * and a tile form (up to mr rows, any of them, gathered for the micro-kernel). For one row the tile
 * form is the row form. */
typedef struct lf_lhs {
    const char *name;
    lf_provider by;
    uint32_t needs; /* LF_CPU_* bits */
    /* Bytes of a block where every 32 values become one of their own: quantize of m * 32 values
     * makes m rows of 32, one block after another, and the tiles of a row's blocks, one after the
     * other, are the tile of the row; neither writes beyond m blocks. 0 where that is not so. */
    size_t block_bytes;
    bool stacked;                  /* rows one after another, row_bytes apart, are their tile */
    size_t (*row_bytes)(size_t k); /* multiple of 64 */
    void (*quantize)(size_t k, const float *x, void *row);
    size_t (*tile_bytes)(size_t m, size_t k); /* multiple of 64, with the slack kernels over-read */
    void (*tile)(size_t m, size_t k, const void *const *rows, void *tile);
} lf_lhs;

/* ---- Matrix kernels -------------------------------------------------------------------------- */

/* How a CPU wants a stream of panels to be fetched ahead (README); a kernel may do otherwise. */
typedef enum {
    LF_PREFETCH_L2_L1, /* in two steps: far ahead into the second level cache, from there into the
                         first, which has too few line buffers to cover the latency of memory */
    LF_PREFETCH_L1,    /* into the first alone: requests far ahead are in the way */
    LF_PREFETCH_L2     /* for few rows far ahead alone, for the fewest next to nothing */
} lf_prefetch_policy;

/* c[m][n] for one panel after another: c row i starts at c + i * c_stride (in floats) and holds n
 * columns, n a multiple of nothing in particular: the last panel may be partial. `tile` is a tile
 * of m rows, 1 <= m <= mr. `panels` are ceil(n / nr) panels of panel_bytes(k) each, in order.
 * No result depends on `fetch`. */
typedef void (*lf_gemm_fn)(size_t m, size_t n, size_t k, const void *tile, const void *panels,
                           float *c, size_t c_stride, lf_prefetch_policy policy);

/* Source of one panel for packing: nr rows (fewer in the last panel: `rows` says how many are real,
 * the others are packed as zeros). A kernel that has `stored` takes the rows as GGUF stores them;
 * the others take floats as stored, block formats as quants, scales and mins. */
typedef struct lf_panel_source {
    uint32_t rows;
    const int8_t *quants; /* [rows][k] */
    const float *scales;  /* [rows][k / 32] */
    const float *mins;    /* [rows][k / 32] or NULL: value = scale * code - min */
    const void *values;   /* rows as stored, one after another; then quants is NULL */
} lf_panel_source;

enum { LF_MAX_MR = 16, LF_MAX_NR = 64 }; /* no row of the table has larger tiles */
enum { LF_MAX_BLOCK_BYTES = 128 };       /* and no form larger blocks */

typedef struct lf_gemm {
    const char *name; /* <in>_<out>_<weights>_gemm_<mr>x<nr>[c<kr>]__<isa> */
    const char *isa;
    lf_provider by;
    uint32_t needs; /* LF_CPU_* bits */
    lf_wformat weights;
    lf_lhs_format lhs;
    bool mins; /* LF_W_I8G: the panel has minimums */
    uint32_t mr, nr;
    uint32_t kr;         /* XNNPACK int4: consecutive k of a column in a panel; otherwise 0 */
    uint32_t k_multiple; /* k must be a multiple of this */
    bool raw_blocks; /* pack takes the format's blocks as stored; for Q4_0 and Q8_0 also quants */
    bool exact;      /* follows the arithmetic contract above bit for bit */
    size_t (*panel_bytes)(size_t k); /* multiple of 64 */
    void (*pack)(size_t k, const lf_panel_source *source, void *panel);
    lf_gemm_fn fn;
    /* For a panel that many tiles meet: its quants and factors taken apart once for all of them,
     * and fn on panels of that form, with the same results. NULL where taking apart costs nothing.
     */
    size_t (*unpacked_bytes)(size_t k); /* of a panel; multiple of 64 */
    void (*unpack)(size_t k, const void *panel, void *wide);
    lf_gemm_fn unpacked_fn;
} lf_gemm;

/* ---- Everything else ------------------------------------------------------------------------- */

enum {
    LF_ATTN_BLOCK = 64,      /* positions of a KV block */
    LF_ATTN_MOST_DIMS = 512, /* of a head, in LF_KV_Q8 */
    LF_LANES = 16            /* lanes of a reduction */
};

/* What the KV cache holds, with the values of LFM2_KV_* in lfm2.h. */
typedef enum { LF_KV_F16, LF_KV_F32, LF_KV_Q8, LF_KV_COUNT } lf_kv_type;

enum { LF_KV_SCALES = LF_ATTN_BLOCK * 4 }; /* bytes of the scales of a block of LF_KV_Q8 */

/* A KV block is LF_ATTN_BLOCK positions of the keys, or of the values, of one KV head. Keys stand
 * transposed, [head_dim][LF_ATTN_BLOCK], values as they come, [LF_ATTN_BLOCK][head_dim].
 * LF_KV_Q8: first LF_ATTN_BLOCK f32 scales, one a position, then int8 quants in pairs, keys
 * [head_dim / 2][LF_ATTN_BLOCK][2], values [LF_ATTN_BLOCK / 2][head_dim][2]: value = code * scale.
 * head_dim is even then, and at most LF_ATTN_MOST_DIMS. Bytes, a multiple of 64: */
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

/* A block of K and V as above, and those that are likely read next, to be fetched meanwhile; they
 * need not be readable. */
typedef struct lf_kv_blocks {
    const void *k, *v;
    const void *next_k, *next_v;
} lf_kv_blocks;

/* Makes a query, [head_dim] floats that are already scaled, in place what attn of the same KV type
 * wants; NULL where that is the floats. LF_KV_Q8: head_dim int16 quants, then an f32 scale: value =
 * code * scale, made like the quants of lf_kv_store_fn with 32767 for 127. */
typedef void lf_kv_query_fn(size_t head_dim, float *q);

/* One KV block for m query rows of one KV head. q: m rows of head_dim floats, as `query` leaves
 * them, q_stride floats apart. valid[i] (0..64): row i sees the first valid[i] positions; what the
 * others hold, NaNs included, changes no bit; 0 leaves its state alone. Per row, in this order:
 * s_j = sum over d ascending, fma, of q_d and the stored number; m' = max(m, s); alpha = exp(m -
 * m'); p_j = exp(s_j - m'); sum = fma(sum, alpha, lane-folded sum of p); acc_d = acc_d * alpha,
 * then fma over j ascending of p_j and the stored number.
 *
 * LF_KV_Q8: w_j = p_j * scale of V becomes quants as a query does, over the positions the row sees;
 * with exact sums of products of quants, s_j = sum * scale of q * scale of K (that order), acc_d =
 * fma(sum, scale of w, acc_d * alpha). */
typedef void lf_attn_fn(size_t m, size_t head_dim, const float *q, size_t q_stride,
                        const uint32_t *valid, const lf_kv_blocks *kv, const lf_attn_state *state);

/* Writes k and v, [head_dim] each, to place j of their blocks. LF_KV_F16 rounds to nearest even.
 * LF_KV_Q8: scale = largest magnitude / 127, code = x * (127 / largest magnitude) rounded to
 * nearest even; all zeros if that is below 2^-100; a NaN scale if it is no finite number. */
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
    /* y[i] += the sum over r < m of a[r] * x[r][i], m > 0: a product, then fma by r, then the
     * addition; y is none of x. */
    void (*combine)(size_t n, size_t m, const float *a, const float *const *x, float *y);
    void (*swiglu)(size_t n, const float *gate, const float *up, float *out); /* silu(gate) * up */
    void (*sigmoid)(size_t n, const float *x, float *out);                    /* out may be x */
    /* Gated convolution of one token, channels [first, end) of n. bcx: [3][n] = B, C, X. u = B * X
     * is written to u_now[n]; past[t][n] (t < taps - 1, oldest first) are the u of the tokens
     * before; kernel is [taps][n] (tap-major, oldest first). out[n] = C * (sum over taps, oldest
     * first, fma). */
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

/* ---- What a core can do at most -------------------------------------------------------------- */

enum { LF_PEAK_X = -77, LF_PEAK_W = 90, LF_PEAK_STEP = 512 };

/* Loops that do nothing but one thing. What they return depends on every step, so that none can be
 * left out, and is the same on every ISA. */
typedef struct lf_peak {
    const char *read_isa, *dot_isa;
    /* Loads `bytes` (a multiple of LF_PEAK_STEP) from p (aligned to 64); the sum of their 64-bit
     * words. Unless `ahead` is 0, asks for the lines that many bytes further on, and for those
     * twice as far into the second level cache. */
    uint64_t (*read)(const void *p, size_t bytes, size_t ahead);
    /* `rounds` times dot_ops / 2 products LF_PEAK_X * LF_PEAK_W, by the instructions that the int8
     * kernels use, in registers; the low bits of their sum. */
    uint16_t (*dot)(size_t rounds);
    size_t dot_ops; /* multiplications and additions of a round */
} lf_peak;

/* ---- The table ------------------------------------------------------------------------------- */

typedef enum { LF_PICK_AUTO, LF_PICK_SCALAR, LF_PICK_OWN, LF_PICK_XNNPACK } lf_pick;

/* Filled once per runtime; read-only afterwards. */
typedef struct lf_kernels {
    uint32_t cpu; /* LF_CPU_* in use */
    lf_pick pick;
    lf_prefetch_policy prefetch; /* for every lf_gemm_fn */
    lf_ops ops;
    lf_lhs lhs[LF_LHS_COUNT];
    lf_peak peak;
} lf_kernels;

/* What the CPU says about itself. */
typedef struct lf_cpu {
    uint32_t features;           /* LF_CPU_* that CPU and operating system offer together */
    lf_prefetch_policy prefetch; /* what the kernels want there, by vendor and generation */
    uint32_t threads_per_core;   /* 1 where the CPU does not tell */
} lf_cpu;

/* Asks the CPU, and on arm64 the process's auxiliary vector; reads no file. */
lf_cpu lf_cpu_detect(void);

/* Removes `disable` and what needs it from `cpu`. */
uint32_t lf_cpu_without(uint32_t cpu, uint32_t disable);

/* `fetch` becomes LF_PREFETCH_L2_L1: what the CPU wants is set afterwards. */
void lf_kernels_init(lf_kernels *table, uint32_t cpu, lf_pick pick);

/* All matrix kernels of the build, in a fixed order; NULL past the end. */
const lf_gemm *lf_gemm_at(uint32_t index);

/* The kernel this table uses for a weight format at inner size k (mins matters for LF_W_I8G only).
 * Never NULL: scalar takes every k that the format allows. */
const lf_gemm *lf_gemm_pick(const lf_kernels *table, lf_wformat weights, bool mins, size_t k);

#endif /* LF_KERNELS_H */
