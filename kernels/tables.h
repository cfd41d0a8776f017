/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tables of kernels. Each line names one entry; the file of the kernel defines it.
 *
 * The order of a table is the order of preference: of the entries that suit the request and
 * that the CPU can run, the first one is used.
 *
 * Entries are called lf_<operation>_<format>_<isa>, those of XNNPACK
 * lf_<operation>_<format>_xnnpack_<isa>.
 */
#ifndef LF_KERNELS_TABLES_H
#define LF_KERNELS_TABLES_H

#include "kernels/kernels.h"

/* clang-format off */

/* ENTRY(name): name is a lf_gemm. */
#if LF_ARCH_X86
#define LF_GEMM_TABLE_ARCH(ENTRY) \
    ENTRY(lf_gemm_q4_avx512vnni) \
    ENTRY(lf_gemm_q8_avx512vnni) \
    ENTRY(lf_gemm_i8g_avx512vnni) \
    ENTRY(lf_gemm_i8gm_avx512vnni) \
    ENTRY(lf_gemm_i8g16_avx512vnni) \
    ENTRY(lf_gemm_i8g16m_avx512vnni) \
    ENTRY(lf_gemm_q2k_avx512vnni) \
    ENTRY(lf_gemm_q3k_avx512vnni) \
    ENTRY(lf_gemm_iq3s_avx512vnni) \
    ENTRY(lf_gemm_t4_avx512vnni) \
    ENTRY(lf_gemm_t4g16_avx512vnni) \
    ENTRY(lf_gemm_q4k_avx512vnni) \
    ENTRY(lf_gemm_q5k_avx512vnni) \
    ENTRY(lf_gemm_q6k_avx512vnni) \
    ENTRY(lf_gemm_q8_avxvnni) \
    ENTRY(lf_gemm_q4_avxvnni) \
    ENTRY(lf_gemm_i8g_avxvnni) \
    ENTRY(lf_gemm_i8gm_avxvnni) \
    ENTRY(lf_gemm_i8g16_avxvnni) \
    ENTRY(lf_gemm_i8g16m_avxvnni) \
    ENTRY(lf_gemm_q2k_avxvnni) \
    ENTRY(lf_gemm_q3k_avxvnni) \
    ENTRY(lf_gemm_iq3s_avxvnni) \
    ENTRY(lf_gemm_t4_avxvnni) \
    ENTRY(lf_gemm_t4g16_avxvnni) \
    ENTRY(lf_gemm_q4k_avxvnni) \
    ENTRY(lf_gemm_q5k_avxvnni) \
    ENTRY(lf_gemm_q6k_avxvnni) \
    ENTRY(lf_gemm_q8_avx2) \
    ENTRY(lf_gemm_q4_avx2) \
    ENTRY(lf_gemm_i8g_avx2) \
    ENTRY(lf_gemm_i8gm_avx2) \
    ENTRY(lf_gemm_i8g16_avx2) \
    ENTRY(lf_gemm_i8g16m_avx2) \
    ENTRY(lf_gemm_q2k_avx2) \
    ENTRY(lf_gemm_q3k_avx2) \
    ENTRY(lf_gemm_iq3s_avx2) \
    ENTRY(lf_gemm_t4_avx2) \
    ENTRY(lf_gemm_t4g16_avx2) \
    ENTRY(lf_gemm_q4k_avx2) \
    ENTRY(lf_gemm_q5k_avx2) \
    ENTRY(lf_gemm_q6k_avx2) \
    ENTRY(lf_gemm_f32_avx512) \
    ENTRY(lf_gemm_f16_avx512) \
    ENTRY(lf_gemm_bf16_avx512) \
    ENTRY(lf_gemm_f32_avx2) \
    ENTRY(lf_gemm_f16_avx2) \
    ENTRY(lf_gemm_bf16_avx2) \
    ENTRY(lf_gemm_f32_xnnpack_avx512f) \
    ENTRY(lf_gemm_f32_xnnpack_fma3) \
    ENTRY(lf_gemm_f32_xnnpack_avx) \
    ENTRY(lf_gemm_f32_xnnpack_sse) \
    ENTRY(lf_gemm_qb4w_xnnpack_avx512vnni) \
    ENTRY(lf_gemm_qb4w_xnnpack_avx512vnnigfni) \
    ENTRY(lf_gemm_qb4w_xnnpack_avx2) \
    ENTRY(lf_gemm_qb4w_xnnpack_avx) \
    ENTRY(lf_gemm_qb4w_xnnpack_sse41)
#else
#define LF_GEMM_TABLE_ARCH(ENTRY) \
    ENTRY(lf_gemm_q4_neoni8mm) \
    ENTRY(lf_gemm_q8_neoni8mm) \
    ENTRY(lf_gemm_i8g_neoni8mm) \
    ENTRY(lf_gemm_i8gm_neoni8mm) \
    ENTRY(lf_gemm_i8g16_neoni8mm) \
    ENTRY(lf_gemm_i8g16m_neoni8mm) \
    ENTRY(lf_gemm_q2k_neoni8mm) \
    ENTRY(lf_gemm_q3k_neoni8mm) \
    ENTRY(lf_gemm_iq3s_neoni8mm) \
    ENTRY(lf_gemm_t4_neoni8mm) \
    ENTRY(lf_gemm_t4g16_neoni8mm) \
    ENTRY(lf_gemm_q4k_neoni8mm) \
    ENTRY(lf_gemm_q5k_neoni8mm) \
    ENTRY(lf_gemm_q6k_neoni8mm) \
    ENTRY(lf_gemm_q4_neondot) \
    ENTRY(lf_gemm_q8_neondot) \
    ENTRY(lf_gemm_i8g_neondot) \
    ENTRY(lf_gemm_i8gm_neondot) \
    ENTRY(lf_gemm_i8g16_neondot) \
    ENTRY(lf_gemm_i8g16m_neondot) \
    ENTRY(lf_gemm_q2k_neondot) \
    ENTRY(lf_gemm_q3k_neondot) \
    ENTRY(lf_gemm_iq3s_neondot) \
    ENTRY(lf_gemm_t4_neondot) \
    ENTRY(lf_gemm_t4g16_neondot) \
    ENTRY(lf_gemm_q4k_neondot) \
    ENTRY(lf_gemm_q5k_neondot) \
    ENTRY(lf_gemm_q6k_neondot) \
    ENTRY(lf_gemm_q4_neon) \
    ENTRY(lf_gemm_q8_neon) \
    ENTRY(lf_gemm_i8g_neon) \
    ENTRY(lf_gemm_i8gm_neon) \
    ENTRY(lf_gemm_i8g16_neon) \
    ENTRY(lf_gemm_i8g16m_neon) \
    ENTRY(lf_gemm_q2k_neon) \
    ENTRY(lf_gemm_q3k_neon) \
    ENTRY(lf_gemm_iq3s_neon) \
    ENTRY(lf_gemm_t4_neon) \
    ENTRY(lf_gemm_t4g16_neon) \
    ENTRY(lf_gemm_q4k_neon) \
    ENTRY(lf_gemm_q5k_neon) \
    ENTRY(lf_gemm_q6k_neon) \
    ENTRY(lf_gemm_f32_neon) \
    ENTRY(lf_gemm_f16_neon) \
    ENTRY(lf_gemm_bf16_neon) \
    ENTRY(lf_gemm_qb4w_xnnpack_neoni8mm) \
    ENTRY(lf_gemm_qb4w_xnnpack_neondot) \
    ENTRY(lf_gemm_qb4w_xnnpack_neon) \
    ENTRY(lf_gemm_f32_xnnpack_neonfma)
#endif
#define LF_GEMM_TABLE(ENTRY) \
    LF_GEMM_TABLE_ARCH(ENTRY) \
    ENTRY(lf_gemm_q4_scalar) \
    ENTRY(lf_gemm_q8_scalar) \
    ENTRY(lf_gemm_q2k_scalar) \
    ENTRY(lf_gemm_q3k_scalar) \
    ENTRY(lf_gemm_iq3s_scalar) \
    ENTRY(lf_gemm_t4_scalar) \
    ENTRY(lf_gemm_t4g16_scalar) \
    ENTRY(lf_gemm_q4k_scalar) \
    ENTRY(lf_gemm_q5k_scalar) \
    ENTRY(lf_gemm_q6k_scalar) \
    ENTRY(lf_gemm_i8g_scalar) \
    ENTRY(lf_gemm_i8gm_scalar) \
    ENTRY(lf_gemm_i8g16_scalar) \
    ENTRY(lf_gemm_i8g16m_scalar) \
    ENTRY(lf_gemm_f32_scalar) \
    ENTRY(lf_gemm_f16_scalar) \
    ENTRY(lf_gemm_bf16_scalar)

/* ENTRY(format, name): name is a lf_lhs of the format. */
#if LF_ARCH_X86
#define LF_LHS_TABLE_ARCH(ENTRY) \
    ENTRY(LF_LHS_I8B32, lf_lhs_i8b32_avx512) \
    ENTRY(LF_LHS_I8B16, lf_lhs_i8b16_avx512) \
    ENTRY(LF_LHS_I8B32, lf_lhs_i8b32_avx2) \
    ENTRY(LF_LHS_I8B16, lf_lhs_i8b16_avx2) \
    ENTRY(LF_LHS_I16B32, lf_lhs_i16b32_avx2) \
    ENTRY(LF_LHS_I8X2B32, lf_lhs_i8x2b32_avx2) \
    ENTRY(LF_LHS_QD8, lf_lhs_qd8_xnnpack_avx512) \
    ENTRY(LF_LHS_QD8, lf_lhs_qd8_xnnpack_avx2) \
    ENTRY(LF_LHS_QD8, lf_lhs_qd8_xnnpack_avx) \
    ENTRY(LF_LHS_QD8, lf_lhs_qd8_xnnpack_sse41)
#else
#define LF_LHS_TABLE_ARCH(ENTRY) \
    ENTRY(LF_LHS_I8B32, lf_lhs_i8b32_neon) \
    ENTRY(LF_LHS_I8B16, lf_lhs_i8b16_neon) \
    ENTRY(LF_LHS_I16B32, lf_lhs_i16b32_neon) \
    ENTRY(LF_LHS_I8X2B32, lf_lhs_i8x2b32_neon) \
    ENTRY(LF_LHS_QD8, lf_lhs_qd8_xnnpack_neon)
#endif
#define LF_LHS_TABLE(ENTRY) \
    LF_LHS_TABLE_ARCH(ENTRY) \
    ENTRY(LF_LHS_F32, lf_lhs_f32_scalar) \
    ENTRY(LF_LHS_I8B32, lf_lhs_i8b32_scalar) \
    ENTRY(LF_LHS_I8B16, lf_lhs_i8b16_scalar) \
    ENTRY(LF_LHS_I16B32, lf_lhs_i16b32_scalar) \
    ENTRY(LF_LHS_I8X2B32, lf_lhs_i8x2b32_scalar) \
    ENTRY(LF_LHS_QD8, lf_lhs_qd8_xnnpack_scalar)

/* ENTRY(needs, name): name is a lf_ops with every slot but kv[LF_KV_Q8].attn. */
#if LF_ARCH_X86
#define LF_OPS_TABLE_ARCH(ENTRY) \
    ENTRY(LF_CPU_AVX512, lf_ops_avx512) \
    ENTRY(LF_CPU_AVX2, lf_ops_avx2)
#else
#define LF_OPS_TABLE_ARCH(ENTRY) \
    ENTRY(LF_CPU_NEON, lf_ops_neon)
#endif
#define LF_OPS_TABLE(ENTRY) \
    LF_OPS_TABLE_ARCH(ENTRY) \
    ENTRY(0, lf_ops_scalar)

/* ENTRY(needs, name): name is a lf_attn_fn of LF_KV_Q8. */
#if LF_ARCH_X86
#define LF_ATTN_Q8_TABLE_ARCH(ENTRY) \
    ENTRY(LF_CPU_AVX512VNNI, lf_attn_q8_avx512vnni) \
    ENTRY(LF_CPU_AVX512, lf_attn_q8_avx512) \
    ENTRY(LF_CPU_AVXVNNI, lf_attn_q8_avxvnni) \
    ENTRY(LF_CPU_AVX2, lf_attn_q8_avx2)
#else
#define LF_ATTN_Q8_TABLE_ARCH(ENTRY) \
    ENTRY(LF_CPU_NEON, lf_attn_q8_neon)
#endif
#define LF_ATTN_Q8_TABLE(ENTRY) \
    LF_ATTN_Q8_TABLE_ARCH(ENTRY) \
    ENTRY(0, lf_attn_q8_scalar)

/* ENTRY(needs, name): name is a lf_peak with `read`, `dot` or both. */
#if LF_ARCH_X86
#define LF_PEAK_TABLE_ARCH(ENTRY) \
    ENTRY(LF_CPU_AVX512VNNI, lf_peak_avx512vnni) \
    ENTRY(LF_CPU_AVX512, lf_peak_avx512) \
    ENTRY(LF_CPU_AVXVNNI, lf_peak_avxvnni) \
    ENTRY(LF_CPU_AVX2, lf_peak_avx2)
#else
#define LF_PEAK_TABLE_ARCH(ENTRY) \
    ENTRY(LF_CPU_I8MM, lf_peak_neoni8mm) \
    ENTRY(LF_CPU_DOTPROD, lf_peak_neondot) \
    ENTRY(LF_CPU_NEON, lf_peak_neon)
#endif
#define LF_PEAK_TABLE(ENTRY) \
    LF_PEAK_TABLE_ARCH(ENTRY) \
    ENTRY(0, lf_peak_scalar)

/* clang-format on */

#define LF_DECLARE_GEMM(name)        extern const lf_gemm name;
#define LF_DECLARE_LHS(format, name) extern const lf_lhs name;
#define LF_DECLARE_OPS(needs, name)  extern const lf_ops name;
#define LF_DECLARE_ATTN(needs, name) lf_attn_fn name;
#define LF_DECLARE_PEAK(needs, name) extern const lf_peak name;
LF_GEMM_TABLE(LF_DECLARE_GEMM)
LF_LHS_TABLE(LF_DECLARE_LHS)
LF_OPS_TABLE(LF_DECLARE_OPS)
LF_ATTN_Q8_TABLE(LF_DECLARE_ATTN)
LF_PEAK_TABLE(LF_DECLARE_PEAK)

/* x86/xnnpack.c, arm/xnnpack.c: replaces the slots for which XNNPACK has a kernel for this CPU that
 * is bit-equal to scalar/ops.c. */
void lf_ops_use_xnnpack(uint32_t cpu, lf_ops *ops);

#endif /* LF_KERNELS_TABLES_H */
