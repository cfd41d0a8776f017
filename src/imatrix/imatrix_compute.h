/* SPDX-License-Identifier: Apache-2.0 */
/* Computes importance matrices from the inputs that a model's matrices have while it reads a text.
 */
#ifndef LF_IMATRIX_IMATRIX_COMPUTE_H
#define LF_IMATRIX_IMATRIX_COMPUTE_H

#include "model/model.h"

#include "lfm2_tools.h"

/* lfm2_tools.h documents it. */
int32_t lf_imatrix_compute(lfm2_model *model, const int32_t *ids, size_t n_ids,
                           const char *out_path, const lfm2_imatrix_options *options,
                           uint32_t *n_done);

#endif /* LF_IMATRIX_IMATRIX_COMPUTE_H */
