/* SPDX-License-Identifier: Apache-2.0 */
/* Chooses kernels from the tables of tables.h; which CPU features need which. */
#include "kernels/tables.h"

/* ---- CPU ---- */

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

/* ---- Matrix kernels ---- */

#define ADDRESS(name) &name,
static const lf_gemm *const gemms[] = {LF_GEMM_TABLE(ADDRESS)};
enum { N_GEMMS = sizeof gemms / sizeof gemms[0] };

const lf_gemm *lf_gemm_at(uint32_t index)
{
    return index < N_GEMMS ? gemms[index] : NULL;
}

/* The first entry of `provider` (-1: any) that runs on `cpu` and has the format, or NULL. */
static const lf_gemm *find(uint32_t cpu, int provider, const lf_gemm *wanted, size_t k)
{
    for (size_t i = 0; i < N_GEMMS; i++) {
        const lf_gemm *g = gemms[i];
        if ((provider < 0 || (int)g->provider == provider) && (g->needs & ~cpu) == 0 &&
            g->weights == wanted->weights && g->mins == wanted->mins && k % g->k_multiple == 0) {
            return g;
        }
    }
    return NULL;
}

const lf_gemm *lf_gemm_pick(const lf_kernels *table, lf_wformat weights, bool mins, size_t k)
{
    const bool optional = weights == LF_W_I8G || weights == LF_W_I8G16;
    const lf_gemm wanted = {.weights = weights, .mins = optional && mins};
    const lf_gemm *g = NULL;
    if (table->pick == LF_PICK_AUTO) {
        g = find(table->cpu, -1, &wanted, k);
    }
    if (table->pick == LF_PICK_XNNPACK) {
        g = find(table->cpu, LF_PROVIDER_XNNPACK, &wanted, k);
    }
    if (g == NULL && table->pick != LF_PICK_SCALAR) {
        g = find(table->cpu, LF_PROVIDER_LFM2, &wanted, k);
    }
    if (g == NULL) {
        g = find(table->cpu, LF_PROVIDER_SCALAR, &wanted, k);
    }
    return g != NULL ? g : &lf_gemm_q4_scalar;
}

/* ---- Everything else ---- */

#define NEEDS_AND_ADDRESS(needs, name)   {needs, &name},
#define FORMAT_AND_ADDRESS(format, name) {format, &name},

static void init_lhs(lf_kernels *table)
{
    static const struct {
        lf_lhs_format format;
        const lf_lhs *lhs;
    } entries[] = {LF_LHS_TABLE(FORMAT_AND_ADDRESS)};
    for (size_t i = 0; i < sizeof entries / sizeof entries[0]; i++) {
        lf_lhs *lhs = &table->lhs[entries[i].format];
        if (lhs->quantize == NULL && (entries[i].lhs->needs & ~table->cpu) == 0) {
            *lhs = *entries[i].lhs;
        }
    }
}

static void init_ops(lf_kernels *table)
{
    static const struct {
        uint32_t needs;
        const lf_ops *ops;
    } entries[] = {LF_OPS_TABLE(NEEDS_AND_ADDRESS)};
    static const struct {
        uint32_t needs;
        lf_attn_fn *attn;
    } attns[] = {LF_ATTN_Q8_TABLE(NEEDS_AND_ADDRESS)};
    size_t i = 0;
    while ((entries[i].needs & ~table->cpu) != 0) {
        i++;
    }
    table->ops = *entries[i].ops;
    i = 0;
    while ((attns[i].needs & ~table->cpu) != 0) {
        i++;
    }
    table->ops.kv[LF_KV_Q8].attn = attns[i].attn;
    if (table->pick != LF_PICK_OWN) {
        lf_ops_use_xnnpack(table->cpu, &table->ops);
    }
}

static void init_peak(lf_kernels *table)
{
    static const struct {
        uint32_t needs;
        const lf_peak *peak;
    } entries[] = {LF_PEAK_TABLE(NEEDS_AND_ADDRESS)};
    lf_peak *peak = &table->peak;
    for (size_t i = 0; i < sizeof entries / sizeof entries[0]; i++) {
        const lf_peak *entry = entries[i].peak;
        if ((entries[i].needs & ~table->cpu) != 0) {
            continue;
        }
        if (peak->read == NULL && entry->read != NULL) {
            peak->read_isa = entry->read_isa;
            peak->read = entry->read;
        }
        if (peak->dot == NULL && entry->dot != NULL) {
            peak->dot_isa = entry->dot_isa;
            peak->dot = entry->dot;
            peak->dot_ops = entry->dot_ops;
        }
    }
}

void lf_kernels_init(lf_kernels *table, uint32_t cpu, lf_pick pick)
{
    *table = (lf_kernels){.cpu = pick == LF_PICK_SCALAR ? 0 : cpu, .pick = pick};
    init_lhs(table);
    init_ops(table);
    init_peak(table);
}
