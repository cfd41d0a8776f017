/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the choice: which features need which, the table of matrix kernels, and which of them are
 * used. */
#include "kernels/internal.h"

/* ---- CPU ---------------------------------------------------------------------------------------
 */

uint32_t lf_cpu_without(uint32_t cpu, uint32_t disable)
{
    static const struct {
        uint32_t feature, base;
    } needs[] = {/* in an order in which one pass suffices */
                 {LF_CPU_AVX, LF_CPU_SSE41},         {LF_CPU_GFNI, LF_CPU_SSE41},
                 {LF_CPU_AVX2, LF_CPU_AVX},          {LF_CPU_AVXVNNI, LF_CPU_AVX2},
                 {LF_CPU_AVX512, LF_CPU_AVX2},       {LF_CPU_AVX512VNNI, LF_CPU_AVX512},
                 {LF_CPU_AVX512BF16, LF_CPU_AVX512}, {LF_CPU_DOTPROD, LF_CPU_NEON},
                 {LF_CPU_I8MM, LF_CPU_DOTPROD}};
    cpu &= ~disable;
    for (size_t i = 0; i < sizeof needs / sizeof needs[0]; i++) {
        if ((cpu & needs[i].base) == 0) {
            cpu &= ~needs[i].feature;
        }
    }
    return cpu;
}

/* ---- Matrix kernels ----------------------------------------------------------------------------
 */

/* For each panel format the first row that the CPU can run is the choice of LF_PICK_AUTO: the order
 * is the measured one, that of arm64 supposed, see README.md. */
static const lf_gemm *const gemms[] = {
#if LF_ARCH_X86
    &lf_gemm_q4_avx512vnni,     &lf_gemms_q8_avx512vnni[0], &lf_gemms_q8_avx512vnni[1],
    &lf_gemms_q8_avx512vnni[2], &lf_gemms_k_avx512vnni[0],  &lf_gemms_k_avx512vnni[1],
    &lf_gemms_k_avx512vnni[2],  &lf_gemm_q8_avxvnni,        &lf_gemms_int_avxvnni[0],
    &lf_gemms_int_avxvnni[1],   &lf_gemms_int_avxvnni[2],   &lf_gemms_int_avxvnni[3],
    &lf_gemms_int_avxvnni[4],   &lf_gemms_int_avxvnni[5],   &lf_gemm_q8_avx2,
    &lf_gemms_int_avx2[0],      &lf_gemms_int_avx2[1],      &lf_gemms_int_avx2[2],
    &lf_gemms_int_avx2[3],      &lf_gemms_int_avx2[4],      &lf_gemms_int_avx2[5],
    &lf_gemms_float_avx512[0],  &lf_gemms_float_avx512[1],  &lf_gemms_float_avx512[2],
    &lf_gemms_float_avx2[0],    &lf_gemms_float_avx2[1],    &lf_gemms_float_avx2[2],
    &lf_gemms_f32_x86[0],       &lf_gemms_f32_x86[1],       &lf_gemms_f32_x86[2],
    &lf_gemms_f32_x86[3],       &lf_gemms_qb4w_x86[1],      &lf_gemms_qb4w_x86[0],
    &lf_gemms_qb4w_x86[2],      &lf_gemms_qb4w_x86[3],      &lf_gemms_qb4w_x86[4],
#endif
#if LF_ARCH_ARM64
    &lf_gemms_qb4w_arm[0],      &lf_gemms_qb4w_arm[1],      &lf_gemms_qb4w_arm[2],
    &lf_gemm_f32_neonfma,
#endif
    &lf_gemms_scalar[0],        &lf_gemms_scalar[1],        &lf_gemms_scalar[2],
    &lf_gemms_scalar[3],        &lf_gemms_scalar[4],        &lf_gemms_scalar[5],
    &lf_gemms_scalar[6],        &lf_gemms_scalar[7],        &lf_gemms_scalar[8],
    &lf_gemms_scalar[9],
};
enum { N_GEMMS = sizeof gemms / sizeof gemms[0] };

const lf_gemm *lf_gemm_at(uint32_t index)
{
    return index < N_GEMMS ? gemms[index] : NULL;
}

/* The best row of provider `by` (-1: any), or NULL. */
static const lf_gemm *find(uint32_t cpu, int by, const lf_gemm *wanted, size_t k)
{
    for (size_t i = 0; i < N_GEMMS; i++) {
        const lf_gemm *g = gemms[i];
        if ((by < 0 || (int)g->by == by) && (g->needs & ~cpu) == 0 &&
            g->weights == wanted->weights && g->mins == wanted->mins && k % g->k_multiple == 0) {
            return g;
        }
    }
    return NULL;
}

const lf_gemm *lf_gemm_pick(const lf_kernels *table, lf_wformat weights, bool mins, size_t k)
{
    const lf_gemm wanted = {.weights = weights, .mins = weights == LF_W_I8G && mins};
    const lf_gemm *g = NULL;
    if (table->pick == LF_PICK_AUTO) {
        g = find(table->cpu, -1, &wanted, k);
    }
    if (table->pick == LF_PICK_XNNPACK) {
        g = find(table->cpu, LF_BY_XNNPACK, &wanted, k);
    }
    if (g == NULL && table->pick != LF_PICK_SCALAR) {
        g = find(table->cpu, LF_BY_LFM2, &wanted, k);
    }
    if (g == NULL) {
        g = find(table->cpu, LF_BY_SCALAR, &wanted, k);
    }
    return g != NULL ? g : &lf_gemms_scalar[0];
}

/* ---- Everything else ---------------------------------------------------------------------------
 */

/* Takes from `from` the halves that it has. */
static void overlay_peak(const lf_peak *from, lf_peak *peak)
{
    if (from->read != NULL) {
        peak->read_isa = from->read_isa;
        peak->read = from->read;
    }
    if (from->dot != NULL) {
        peak->dot_isa = from->dot_isa;
        peak->dot = from->dot;
        peak->dot_ops = from->dot_ops;
    }
}

static void init_peak(lf_kernels *table)
{
    static const struct {
        uint32_t needs;
        const lf_peak *peak;
    } rows[] = {
#if LF_ARCH_X86
        {LF_CPU_AVX2, &lf_peak_avx2},
        {LF_CPU_AVXVNNI, &lf_peak_avxvnni},
        {LF_CPU_AVX512, &lf_peak_avx512},
        {LF_CPU_AVX512VNNI, &lf_peak_avx512vnni},
#endif
#if LF_ARCH_ARM64
        {LF_CPU_NEON, &lf_peak_neon},
        {LF_CPU_DOTPROD, &lf_peak_neondot},
        {LF_CPU_I8MM, &lf_peak_neoni8mm},
#endif
    };
    table->peak = lf_peak_scalar;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if ((rows[i].needs & ~table->cpu) == 0) {
            overlay_peak(rows[i].peak, &table->peak);
        }
    }
}

#if LF_ARCH_X86
static void init_x86(lf_kernels *table)
{
    if ((table->cpu & LF_CPU_SSE41) != 0) {
        table->lhs[LF_LHS_QD8] = lf_lhs_qd8_sse41;
    }
    if ((table->cpu & LF_CPU_AVX) != 0) {
        table->lhs[LF_LHS_QD8] = lf_lhs_qd8_avx;
    }
    if ((table->cpu & LF_CPU_AVX2) != 0) {
        table->ops = lf_ops_avx2;
        table->lhs[LF_LHS_I8B32] = lf_lhs_i8b32_avx2;
        table->lhs[LF_LHS_I16B32] = lf_lhs_i16b32_avx2;
        table->lhs[LF_LHS_I8X2B32] = lf_lhs_i8x2b32_avx2;
        table->lhs[LF_LHS_I8B16] = lf_lhs_i8b16_avx2;
        table->lhs[LF_LHS_QD8] = lf_lhs_qd8_avx2;
    }
    if ((table->cpu & LF_CPU_AVXVNNI) != 0) {
        table->ops.kv[LF_KV_Q8].attn = lf_attn_q8_avxvnni;
    }
    if ((table->cpu & LF_CPU_AVX512) != 0) {
        table->ops = lf_ops_avx512;
        table->lhs[LF_LHS_I8B32] = lf_lhs_i8b32_avx512;
        table->lhs[LF_LHS_I8B16] = lf_lhs_i8b16_avx512;
        table->lhs[LF_LHS_QD8] = lf_lhs_qd8_avx512;
    }
    if ((table->cpu & LF_CPU_AVX512VNNI) != 0) {
        table->ops.kv[LF_KV_Q8].attn = lf_attn_q8_avx512vnni;
    }
    if (table->pick != LF_PICK_OWN) {
        lf_ops_xnnpack_x86(table->cpu, &table->ops);
    }
}
#endif

#if LF_ARCH_ARM64
static void init_arm(lf_kernels *table)
{
    if ((table->cpu & LF_CPU_NEON) != 0) {
        table->lhs[LF_LHS_QD8] = lf_lhs_qd8_neon;
    }
    if (table->pick != LF_PICK_OWN) {
        lf_ops_xnnpack_arm(table->cpu, &table->ops);
    }
}
#endif

void lf_kernels_init(lf_kernels *table, uint32_t cpu, lf_pick pick)
{
    *table = (lf_kernels){
        .cpu = pick == LF_PICK_SCALAR ? 0 : cpu, .pick = pick, .prefetch = LF_PREFETCH_L2_L1};
    table->ops = lf_ops_scalar;
    table->lhs[LF_LHS_F32] = lf_lhs_f32_scalar;
    table->lhs[LF_LHS_I8B32] = lf_lhs_i8b32_scalar;
    table->lhs[LF_LHS_I16B32] = lf_lhs_i16b32_scalar;
    table->lhs[LF_LHS_I8X2B32] = lf_lhs_i8x2b32_scalar;
    table->lhs[LF_LHS_I8B16] = lf_lhs_i8b16_scalar;
    table->lhs[LF_LHS_QD8] = lf_lhs_qd8_scalar;
    init_peak(table);
#if LF_ARCH_X86
    init_x86(table);
#endif
#if LF_ARCH_ARM64
    init_arm(table);
#endif
}
