/* SPDX-License-Identifier: Apache-2.0 */
/* XNNPACK's scalar quantization to LF_LHS_QD8. */
#include "kernels/xnnpack/bind.h"

static void quantize(size_t k, const float *x, void *row)
{
    lf_quantize_qd8(xnn_f32_rminmax_ukernel__scalar_u4_acc4,
                    xnn_f32_qs8_vcvt_ukernel__scalar_imagic_u4, k, x, row);
}

const lf_lhs lf_lhs_qd8_xnnpack_scalar = {.name = "qd8",
                                          .provider = LF_PROVIDER_XNNPACK,
                                          .row_bytes = lf_row_bytes_qd8,
                                          .quantize = quantize,
                                          .tile_bytes = lf_tile_bytes_qd8,
                                          .pack = lf_lhs_pack_qd8};
