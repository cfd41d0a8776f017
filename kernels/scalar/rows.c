/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the scalar rows of the table of matrix kernels: one for every panel format. */
#include "kernels/internal.h"
#include "kernels/scalar/gemm.h"

#define ROW(in, in_format, suffix, format, g, has_mins, multiple, bytes, packer)                   \
    {                                                                                              \
        .name = #in "_f32_" #suffix "_gemm_8x16__scalar", .isa = "scalar", .by = LF_BY_SCALAR,     \
        .weights = format, .acts = in_format, .group = g, .mins = has_mins, .mr = LF_SCALAR_MR,    \
        .nr = LF_NR, .k_multiple = multiple, .exact = true, .panel_bytes = bytes, .pack = packer,  \
        .stored = format == LF_W_Q4 || format == LF_W_Q8, .fn = lf_gemm_##suffix##_scalar          \
    }

const lf_gemm lf_gemms_scalar[LF_GEMMS_SCALAR] = {
    ROW(i8b32, LF_A_I8B32, q4, LF_W_Q4, 0, false, 32, lf_panel_bytes_q4, lf_pack_q4),
    ROW(i8x2b32, LF_A_I8X2B32, q8, LF_W_Q8, 0, false, 32, lf_panel_bytes_q8, lf_pack_q8),
    ROW(i8b32, LF_A_I8B32, i8g16, LF_W_I8G, 16, false, 32, lf_panel_bytes_i8g16, lf_pack_i8g),
    ROW(i8b32, LF_A_I8B32, i8g16m, LF_W_I8G, 16, true, 32, lf_panel_bytes_i8g16m, lf_pack_i8g),
    ROW(i8b32, LF_A_I8B32, i8g32, LF_W_I8G, 32, false, 32, lf_panel_bytes_i8g32, lf_pack_i8g),
    ROW(i8b32, LF_A_I8B32, i8g32m, LF_W_I8G, 32, true, 32, lf_panel_bytes_i8g32m, lf_pack_i8g),
    ROW(f32, LF_A_F32, f32, LF_W_F32, 0, false, 1, lf_panel_bytes_f32, lf_pack_f32),
    ROW(f32, LF_A_F32, f16, LF_W_F16, 0, false, 1, lf_panel_bytes_f16, lf_pack_f16),
    ROW(f32, LF_A_F32, bf16, LF_W_BF16, 0, false, 1, lf_panel_bytes_f16, lf_pack_f16),
};
