/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the scalar rows of the table of matrix kernels: one for every panel format. */
#include "kernels/internal.h"
#include "kernels/scalar/gemm.h"

#define ROW(in, in_format, suffix, format, has_mins, multiple, as_stored, bytes, packer)           \
    {                                                                                              \
        .name = #in "_f32_" #suffix "_gemm_8x16__scalar", .isa = "scalar", .by = LF_BY_SCALAR,     \
        .weights = format, .lhs = in_format, .mins = has_mins, .mr = LF_SCALAR_MR, .nr = LF_NR,    \
        .k_multiple = multiple, .exact = true, .panel_bytes = bytes, .pack = packer,               \
        .raw_blocks = as_stored, .fn = lf_gemm_##suffix##_scalar                                   \
    }

const lf_gemm lf_gemms_scalar[LF_GEMMS_SCALAR] = {
    ROW(i8b32, LF_LHS_I8B32, q4, LF_W_Q4, false, 32, true, lf_panel_bytes_q4, lf_pack_q4),
    ROW(i16b32, LF_LHS_I16B32, q8, LF_W_Q8, false, 32, true, lf_panel_bytes_q8, lf_pack_q8),
    ROW(i8b32, LF_LHS_I8B32, q4k, LF_W_Q4K, false, 256, true, lf_panel_bytes_q4k, lf_pack_q4k),
    ROW(i8b32, LF_LHS_I8B32, q5k, LF_W_Q5K, false, 256, true, lf_panel_bytes_q5k, lf_pack_q5k),
    ROW(i8b16, LF_LHS_I8B16, q6k, LF_W_Q6K, false, 256, true, lf_panel_bytes_q6k, lf_pack_q6k),
    ROW(i8b32, LF_LHS_I8B32, i8g, LF_W_I8G, false, 32, false, lf_panel_bytes_i8g, lf_pack_i8g),
    ROW(i8b32, LF_LHS_I8B32, i8gm, LF_W_I8G, true, 32, false, lf_panel_bytes_i8gm, lf_pack_i8g),
    ROW(f32, LF_LHS_F32, f32, LF_W_F32, false, 1, false, lf_panel_bytes_f32, lf_pack_f32),
    ROW(f32, LF_LHS_F32, f16, LF_W_F16, false, 1, false, lf_panel_bytes_f16, lf_pack_f16),
    ROW(f32, LF_LHS_F32, bf16, LF_W_BF16, false, 1, false, lf_panel_bytes_f16, lf_pack_f16),
};
