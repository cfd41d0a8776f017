/* SPDX-License-Identifier: Apache-2.0 */
/* The prefix cache of a model: a radix tree with a budget, which gives pages back when the KV
 * budget is used up. */
#ifndef LF_RUN_PREFIX_CACHE_H
#define LF_RUN_PREFIX_CACHE_H

#include "run/prefix_disk.h"
#include "run/prefix_tree.h"
#include "run/session.h"

/* Any thread may use it at any time. The lock of the KV pool is held while the tree is read or
 * changed, never during a pass. */
struct lfm2_cache {
    lf_kv_cache of_pool; /* the first member */
    lfm2_model *model;
    lf_prefix_tree tree;
    lf_prefix_disk *disk; /* NULL: no folder */
    atomic_uint_fast64_t n_hits, n_misses, n_asked, n_reused;
};

/* Contracts: the functions of lfm2.h with the names lfm2_cache_*. */
int32_t lf_prefix_cache_create(lfm2_model *model, const lfm2_cache_options *options,
                               lfm2_cache **out);
void lf_prefix_cache_free(lfm2_cache *cache);
int32_t lf_prefix_cache_insert(lfm2_cache *cache, lfm2_session *session, uint32_t n);
/* A cancellation stays set. */
int32_t lf_prefix_cache_start(lfm2_cache *cache, lfm2_session *session, const int32_t *ids,
                              size_t n, uint32_t *n_reused);

/* How many of the tokens are in memory. Changes nothing. */
uint32_t lf_prefix_cache_peek(lfm2_cache *cache, lf_kv_type kv_type, uint64_t scope,
                              const int32_t *ids, uint32_t n);

int32_t lf_prefix_cache_save(lfm2_cache *cache, const lfm2_session *session);
int32_t lf_prefix_cache_set_budget(lfm2_cache *cache, uint64_t ram_bytes, uint64_t disk_bytes);
void lf_prefix_cache_clear(lfm2_cache *cache);
void lf_prefix_cache_usage(lfm2_cache *cache, lfm2_cache_usage *usage);

#endif /* LF_RUN_PREFIX_CACHE_H */
