/* SPDX-License-Identifier: Apache-2.0 */
/* Text generation: from a prompt to text and a reason to stop. */
#ifndef LF_RUN_GENERATE_H
#define LF_RUN_GENERATE_H

#include "run/sampler.h"
#include "run/session.h"

/* Contract: lfm2_generate; `options` and `result` are not NULL. */
int32_t lf_generate(lfm2_session *session, lfm2_sampler *sampler, const int32_t *prompt,
                    size_t n_prompt, const lfm2_generate_options *options,
                    lfm2_generate_result *result);

#endif /* LF_RUN_GENERATE_H */
