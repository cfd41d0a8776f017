/* SPDX-License-Identifier: Apache-2.0 */
/* Implements the radix tree: search, insertion, checkpoints, eviction. */
#include "run/prefix_tree.h"

#include <string.h>

void lf_prefix_init(lf_prefix_tree *tree, const lf_alloc *alloc, lf_kv_pool *pool)
{
    *tree = (lf_prefix_tree){.alloc = alloc, .pool = pool};
}

/* ---- Order of use ---- */

static void detach_use(lf_prefix_tree *tree, lf_prefix_node *node)
{
    *(node->newer != NULL ? &node->newer->older : &tree->newest) = node->older;
    *(node->older != NULL ? &node->older->newer : &tree->oldest) = node->newer;
}

static void attach_newest(lf_prefix_tree *tree, lf_prefix_node *node)
{
    node->newer = NULL;
    node->older = tree->newest;
    *(tree->newest != NULL ? &tree->newest->newer : &tree->oldest) = node;
    tree->newest = node;
}

static void detach_sibling(lf_prefix_node *node)
{
    *(node->previous != NULL ? &node->previous->next : &node->parent->child) = node->next;
    if (node->next != NULL) {
        node->next->previous = node->previous;
    }
}

static void attach_child(lf_prefix_node *parent, lf_prefix_node *node)
{
    node->parent = parent;
    node->previous = NULL;
    node->next = parent->child;
    if (node->next != NULL) {
        node->next->previous = node;
    }
    parent->child = node;
}

/* Marks the node and those before it as used now. */
static void touch(lf_prefix_tree *tree, lf_prefix_node *node)
{
    for (; node->parent != NULL; node = node->parent) {
        detach_use(tree, node);
        attach_newest(tree, node);
        detach_sibling(node);
        attach_child(node->parent, node);
    }
}

/* ---- Nodes ---- */

static uint64_t floats_bytes(const lf_floats *floats)
{
    return floats == NULL ? 0 : sizeof *floats + floats->n * sizeof(float);
}

static uint64_t node_bytes(const lf_prefix_node *node)
{
    return sizeof *node + sizeof *node->page + node->page_bytes;
}

static void drop_checkpoint(lf_prefix_tree *tree, lf_checkpoint *checkpoint)
{
    if (checkpoint->n == 0) {
        return;
    }
    tree->bytes -= floats_bytes(checkpoint->conv) + floats_bytes(checkpoint->logits);
    tree->n_checkpoints--;
    lf_floats_release(tree->alloc, checkpoint->conv);
    lf_floats_release(tree->alloc, checkpoint->logits);
    checkpoint->n = 0;
}

/* Makes a checkpoint of a node the first one. */
static void use_checkpoint(lf_prefix_node *node, size_t at)
{
    lf_checkpoint used = node->checkpoints[at];
    memmove(node->checkpoints + 1, node->checkpoints, at * sizeof used);
    node->checkpoints[0] = used;
}

/* Adds a checkpoint or replaces that at the same place. Logits that are already there stay. */
static void add_checkpoint(lf_prefix_tree *tree, lf_prefix_node *node, uint32_t n, lf_floats *conv,
                           lf_floats *logits)
{
    size_t at = 0;
    while (at < LF_PREFIX_CHECKPOINTS - 1 && node->checkpoints[at].n != n) {
        at++;
    }
    lf_checkpoint *c = &node->checkpoints[at];
    if (c->n == n && logits == NULL) {
        logits = c->logits;
    }
    const lf_checkpoint added = {n, lf_floats_retain(conv), lf_floats_retain(logits)};
    drop_checkpoint(tree, c);
    *c = added;
    tree->bytes += floats_bytes(conv) + floats_bytes(logits);
    tree->n_checkpoints++;
    use_checkpoint(node, at);
}

static void free_node(lf_prefix_tree *tree, lf_prefix_node *node)
{
    for (size_t i = 0; i < LF_PREFIX_CHECKPOINTS; i++) {
        drop_checkpoint(tree, &node->checkpoints[i]);
    }
    tree->bytes -= node_bytes(node);
    tree->n_pages--;
    atomic_fetch_sub(&tree->pool->cached, node->page_bytes);
    lf_kv_release(node->page);
    lf_free(tree->alloc, node, 1, sizeof *node);
}

static int32_t new_node(lf_prefix_tree *tree, const lf_state *state, uint32_t page, uint32_t n,
                        lf_prefix_node **out)
{
    void *p = NULL;
    LF_TRY(lf_new_zero(tree->alloc, 1, sizeof(lf_prefix_node), "prefix cache", &p));
    lf_prefix_node *node = p;
    node->page = state->pages[page];
    lf_kv_retain(node->page);
    node->page_bytes = state->page_bytes;
    node->scope = state->scope;
    node->n = n;
    tree->bytes += node_bytes(node);
    tree->n_pages++;
    atomic_fetch_add(&tree->pool->cached, node->page_bytes);
    *out = node;
    return LFM2_OK;
}

/* Removes a leaf. */
static void evict(lf_prefix_tree *tree, lf_prefix_node *leaf)
{
    detach_sibling(leaf);
    detach_use(tree, leaf);
    free_node(tree, leaf);
    tree->n_evicted++;
}

void lf_prefix_shrink(lf_prefix_tree *tree, uint64_t most)
{
    while (tree->bytes > most && tree->oldest != NULL) {
        evict(tree, tree->oldest);
    }
}

void lf_prefix_free(lf_prefix_tree *tree)
{
    lf_prefix_shrink(tree, 0);
}

/* Whether the tree alone holds the page of a node, or of one before it. */
static bool holds_own(const lf_prefix_node *node)
{
    while (node->parent != NULL && !lf_kv_is_own(node->page)) {
        node = node->parent;
    }
    return node->parent != NULL;
}

/* A node is older than its parent, so one walk from the oldest node on evicts a node after all that
 * depend on it. A page that sessions use goes, too, if it keeps one that they do not use. */
bool lf_prefix_release(lf_prefix_tree *tree, uint64_t most)
{
    uint64_t before = tree->n_evicted;
    lf_prefix_node *newer = NULL;
    for (lf_prefix_node *node = tree->oldest; node != NULL && atomic_load(&tree->pool->used) > most;
         node = newer) {
        newer = node->newer;
        if (node->child == NULL && holds_own(node)) {
            evict(tree, node);
        }
    }
    return tree->n_evicted != before;
}

/* ---- Search ---- */

static uint32_t common_length(const int32_t *a, const int32_t *b, uint32_t most)
{
    uint32_t n = 0;
    while (n < most && a[n] == b[n]) {
        n++;
    }
    return n;
}

/* The child of the scope that begins with the most of ids[0..n), or NULL if none has the first;
 * *length receives how many. */
static lf_prefix_node *best_child(const lf_prefix_node *parent, uint64_t scope, const int32_t *ids,
                                  uint32_t n, uint32_t *length)
{
    lf_prefix_node *best = NULL;
    *length = 0;
    for (lf_prefix_node *c = parent->child; c != NULL && *length < n; c = c->next) {
        uint32_t most = c->scope != scope ? 0 : c->n < n ? c->n : n;
        uint32_t same = common_length(c->page->ids, ids, most);
        if (same > *length) {
            *length = same;
            best = c;
        }
    }
    return best;
}

/* The last node of the longest prefix of ids[0..n), or the root; *length receives its length. */
static lf_prefix_node *search(lf_prefix_tree *tree, lf_prefix_kind kind, const int32_t *ids,
                              uint32_t n, uint32_t *length)
{
    lf_prefix_node *node = &tree->roots[kind.kv_type];
    *length = 0;
    while (*length < n) {
        uint32_t left = n - *length;
        uint32_t most = left < LF_ATTN_BLOCK ? left : LF_ATTN_BLOCK;
        uint32_t same = 0;
        lf_prefix_node *child = best_child(node, kind.scope, ids + *length, most, &same);
        if (child == NULL) {
            break;
        }
        node = child;
        *length += same;
        if (same < LF_ATTN_BLOCK) {
            break;
        }
    }
    return node;
}

/* The index of the node's last checkpoint after at most n of its tokens; -1: none. */
static int last_checkpoint(const lf_prefix_node *node, uint32_t n)
{
    int best = -1;
    for (int i = 0; i < LF_PREFIX_CHECKPOINTS; i++) {
        uint32_t at = node->checkpoints[i].n;
        if (at > 0 && at <= n && (best < 0 || at > node->checkpoints[best].n)) {
            best = i;
        }
    }
    return best;
}

/* Chooses the length: see lf_prefix_find. `node` is the last one of a match of hit->length tokens.
 */
static lf_prefix_node *choose_length(lf_prefix_node *node, uint32_t warm_up, lf_prefix_hit *hit)
{
    uint32_t most = hit->length;
    lf_prefix_node *end = node;
    for (uint32_t length = most; node->parent != NULL; node = node->parent) {
        uint32_t begin = (length - 1) / LF_ATTN_BLOCK * LF_ATTN_BLOCK;
        int at = last_checkpoint(node, length - begin);
        if (at >= 0 && most - (begin + node->checkpoints[at].n) <= warm_up) {
            use_checkpoint(node, (size_t)at);
            hit->length = begin + node->checkpoints[0].n;
            hit->conv = lf_floats_retain(node->checkpoints[0].conv);
            hit->logits = lf_floats_retain(node->checkpoints[0].logits);
            return node;
        }
        length = begin;
    }
    hit->length = most > warm_up ? most : 0;
    hit->warm_up = hit->length > 0;
    return end;
}

/* Whether there are logits after the n tokens that end in this node. */
static bool has_logits(const lf_prefix_node *node, uint32_t n)
{
    uint32_t in_page = (n - 1) % LF_ATTN_BLOCK + 1;
    int at = last_checkpoint(node, in_page);
    return at >= 0 && node->checkpoints[at].n == in_page && node->checkpoints[at].logits != NULL;
}

uint32_t lf_prefix_length(lf_prefix_tree *tree, lf_prefix_kind kind, const int32_t *ids, uint32_t n)
{
    uint32_t length = 0;
    search(tree, kind, ids, n, &length);
    return length;
}

void lf_prefix_find(lf_prefix_tree *tree, lf_prefix_kind kind, const int32_t *ids, uint32_t n,
                    uint32_t warm_up, lf_prefix_hit *hit)
{
    hit->warm_up = false;
    hit->conv = NULL;
    hit->logits = NULL;
    lf_prefix_node *node = search(tree, kind, ids, n, &hit->length);
    if (hit->length == n && !has_logits(node, n)) {
        node = search(tree, kind, ids, n - 1, &hit->length);
    }
    if (hit->length == 0) {
        return;
    }
    touch(tree, node);
    node = choose_length(node, warm_up, hit);
    if (hit->length < n && hit->logits != NULL) {
        lf_floats_release(tree->alloc, hit->logits);
        hit->logits = NULL;
    }
    for (uint32_t i = lf_pages_for(hit->length); i > 0; i--) {
        lf_kv_retain(node->page);
        hit->pages[i - 1] = node->page;
        node = node->parent;
    }
}

/* ---- Insertion ---- */

/* The node that holds the longest beginning of the state's first n tokens; *n_pages receives how
 * many pages it is. On the way, a leaf with fewer tokens than the state's page gets this page, and
 * a state without reserve gets the tree's full pages. */
static lf_prefix_node *merge(lf_prefix_tree *tree, lf_state *state, uint32_t n, uint32_t *n_pages)
{
    lf_prefix_node *node = &tree->roots[state->kv_type];
    uint32_t all = lf_pages_for(n);
    for (*n_pages = 0; *n_pages < all; (*n_pages)++) {
        lf_kv_page **page = &state->pages[*n_pages];
        uint32_t left = n - *n_pages * LF_ATTN_BLOCK;
        uint32_t tokens = left < LF_ATTN_BLOCK ? left : LF_ATTN_BLOCK;
        uint32_t same = 0;
        lf_prefix_node *child = best_child(node, state->scope, (*page)->ids, tokens, &same);
        if (child == NULL || (same < tokens && same < child->n)) {
            break;
        }
        if (same < tokens) {
            lf_kv_retain(*page);
            lf_kv_release(child->page);
            child->page = *page;
            child->n = tokens;
        } else if (same == LF_ATTN_BLOCK && *page != child->page && state->n_reserve == 0) {
            lf_kv_retain(child->page);
            lf_kv_release(*page);
            *page = child->page;
        }
        node = child;
    }
    return node;
}

/* Adds the state's pages from `first` on, as a chain of nodes. *last receives the end; it is a
 * chain or nothing. */
static int32_t add_chain(lf_prefix_tree *tree, const lf_state *state, uint32_t first, uint32_t n,
                         lf_prefix_node **last)
{
    lf_prefix_node *node = *last;
    for (uint32_t i = first; i < lf_pages_for(n); i++) {
        uint32_t left = n - i * LF_ATTN_BLOCK;
        lf_prefix_node *added = NULL;
        LF_TRY(new_node(tree, state, i, left < LF_ATTN_BLOCK ? left : LF_ATTN_BLOCK, &added));
        attach_child(node, added);
        attach_newest(tree, added);
        *last = node = added;
    }
    return LFM2_OK;
}

int32_t lf_prefix_insert(lf_prefix_tree *tree, lf_state *state, uint32_t n, lf_floats *logits)
{
    uint32_t n_pages = 0;
    lf_prefix_node *last = merge(tree, state, n, &n_pages);
    int32_t status = add_chain(tree, state, n_pages, n, &last);
    if (status == LFM2_OK && n == state->length) {
        add_checkpoint(tree, last, (n - 1) % LF_ATTN_BLOCK + 1, state->conv, logits);
    }
    touch(tree, last);
    return status;
}

void lf_prefix_checkpoint(lf_prefix_tree *tree, lf_prefix_kind kind, const int32_t *ids, uint32_t n,
                          lf_floats *conv)
{
    uint32_t length = 0;
    lf_prefix_node *node = search(tree, kind, ids, n, &length);
    if (length == n) {
        add_checkpoint(tree, node, (n - 1) % LF_ATTN_BLOCK + 1, conv, NULL);
    }
}
