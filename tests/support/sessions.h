/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of sessions and prefix caches against fresh computations. A failure in a helper fails the
 * test. */
#ifndef LF_TESTS_SESSIONS_H
#define LF_TESTS_SESSIONS_H

#include "support/models.h"

/* Logits of each of n tokens, computed in a session of its own. The caller frees them. */
float *lft_fresh(lfm2_model *reference, int32_t kv, const int32_t *ids, uint32_t n);

/* The session holds these tokens; it has these logits after the last one. */
void lft_expect_tokens(const lfm2_session *session, const int32_t *ids, uint32_t n);
void lft_expect_logits(lfm2_session *session, const float *expected);

lfm2_kv_usage lft_kv_usage(const lfm2_model *model);
uint64_t lft_kv_page(const lfm2_model *model, int32_t kv); /* bytes */

lfm2_cache *lft_cache(lfm2_model *model, uint64_t ram_bytes);
lfm2_cache_usage lft_cache_usage(lfm2_cache *cache);

/* Starts the session from the cache and appends the rest in two parts; every logit is compared.
 * Returns how many tokens were reused. */
uint32_t lft_start_cached(lfm2_cache *cache, lfm2_session *session, lfm2_model *reference,
                          int32_t kv, const int32_t *ids, uint32_t n);

#endif /* LF_TESTS_SESSIONS_H */
