/* SPDX-License-Identifier: Apache-2.0 */
/* The radix tree of a prefix cache: token ids to the pages, convolution histories and logits of the
 * sessions that computed them. */
#ifndef LF_RUN_PREFIX_TREE_H
#define LF_RUN_PREFIX_TREE_H

#include "model/state.h"

enum { LF_PREFIX_CHECKPOINTS = 4 };

/* What continues a sequence after a number of tokens. */
typedef struct lf_checkpoint {
    uint32_t n;        /* tokens of its page that precede it, 1 to 64; 0: there is none */
    lf_floats *conv;   /* convolution history */
    lf_floats *logits; /* of the last token, or NULL */
} lf_checkpoint;

/* A page. Its ids are the label of the edge from its parent, the page of the 64 positions before.
 * No node's ids are the beginning of those of a sibling, unless their scopes differ: the first
 * pages of all scopes have the same parent, and what follows a page has its scope. */
typedef struct lf_prefix_node {
    struct lf_prefix_node *parent, *child;  /* `child`: the first one */
    struct lf_prefix_node *next, *previous; /* siblings; the last used one is the first */
    struct lf_prefix_node *newer, *older;   /* by their last use: a parent is newer than its
                                               children, so the oldest node is a leaf */
    lf_kv_page *page;
    size_t page_bytes;
    uint32_t n; /* tokens: LF_ATTN_BLOCK, or fewer in a leaf */
    uint64_t scope;
    lf_checkpoint checkpoints[LF_PREFIX_CHECKPOINTS]; /* the last used one first */
} lf_prefix_node;

/* The caller has the lock of the pool in every call but lf_prefix_init and lf_prefix_free. */
typedef struct lf_prefix_tree {
    const lf_alloc *alloc;
    lf_kv_pool *pool;
    lf_prefix_node roots[LF_KV_COUNT]; /* without a page */
    lf_prefix_node *newest, *oldest;
    uint64_t bytes; /* of nodes, pages and checkpoints, also of those that sessions share */
    uint64_t n_pages, n_checkpoints;
    uint64_t n_evicted; /* pages since the creation */
} lf_prefix_tree;

/* Which prefixes count: those of states with this KV type and scope. */
typedef struct lf_prefix_kind {
    lf_kv_type kv_type;
    uint64_t scope;
} lf_prefix_kind;

static inline lf_prefix_kind lf_prefix_kind_of(const lf_state *state)
{
    return (lf_prefix_kind){state->kv_type, state->scope};
}

/* A prefix that the tree holds. */
typedef struct lf_prefix_hit {
    uint32_t length;
    bool warm_up;       /* the history must be computed; else `conv` is it */
    lf_kv_page **pages; /* lf_pages_for(length) references */
    lf_floats *conv;    /* a reference, or NULL */
    lf_floats *logits;  /* a reference to those after the last token, or NULL */
} lf_prefix_hit;

void lf_prefix_init(lf_prefix_tree *tree, const lf_alloc *alloc, lf_kv_pool *pool);
void lf_prefix_free(lf_prefix_tree *tree);

/* Takes the references of the longest useful prefix of ids[0..n), n >= 1. hit->pages has space for
 * lf_pages_for(n) pages. It is the longest prefix that the tree holds, except that
 *  - it is shorter than n, unless there are logits, which it then has;
 *  - it ends at the last checkpoint, or is empty, if that saves the warm-up and costs no more
 * tokens than the warm-up computes, `warm_up`. */
void lf_prefix_find(lf_prefix_tree *tree, lf_prefix_kind kind, const int32_t *ids, uint32_t n,
                    uint32_t warm_up, lf_prefix_hit *hit);

/* The length of the longest prefix of ids[0..n) that the tree holds. Changes nothing. */
uint32_t lf_prefix_length(lf_prefix_tree *tree, lf_prefix_kind kind, const int32_t *ids,
                          uint32_t n);

/* Adds the first n >= 1 tokens of the state, and if n is its length, a checkpoint with its history
 * and `logits` (NULL: none). Full pages of a state without reserve are replaced by equal ones of
 * the tree. Errors: MEMORY; some of it may be added. */
int32_t lf_prefix_insert(lf_prefix_tree *tree, lf_state *state, uint32_t n, lf_floats *logits);

/* Adds a checkpoint after ids[0..n), if the tree still holds these tokens. */
void lf_prefix_checkpoint(lf_prefix_tree *tree, lf_prefix_kind kind, const int32_t *ids, uint32_t n,
                          lf_floats *conv);

/* Evicts the oldest nodes until `bytes` <= most. */
void lf_prefix_shrink(lf_prefix_tree *tree, uint64_t most);

/* Contract: lf_kv_cache.release. */
bool lf_prefix_release(lf_prefix_tree *tree, uint64_t most);

#endif /* LF_RUN_PREFIX_TREE_H */
