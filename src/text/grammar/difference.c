/* SPDX-License-Identifier: Apache-2.0 */
/* Implements masks of differences. */
#include "text/grammar/difference.h"

bool lf_difference_find(lf_rx_set *set, lf_rx a, lf_difference *out)
{
    lf_rx_node n = *lf_rx_at(set, a);
    if (n.kind != LF_RX_K_CONCAT || lf_rx_at(set, n.a)->kind != LF_RX_K_AND) {
        return false;
    }
    const lf_rx_node *rest = lf_rx_at(set, n.b);
    rest = rest->kind == LF_RX_K_CONCAT ? lf_rx_at(set, rest->a) : rest;
    if (rest->kind != LF_RX_K_CLASS) {
        return false;
    }
    *out = (lf_difference){.next = rest->a, .part = LF_RX_NONE, .inside = LF_RX_ANY};
    lf_rx_node both = *lf_rx_at(set, n.a);
    for (uint32_t i = 0; i < both.b; i++) {
        lf_rx item = set->lists.items[both.a + i];
        lf_rx_node x = *lf_rx_at(set, item);
        if (x.kind == LF_RX_K_NOT) {
            out->part = lf_rx_alt(set, out->part, x.a);
        } else {
            out->inside = lf_rx_and(set, out->inside, item);
        }
    }
    out->whole = lf_rx_concat(set, out->inside, n.b);
    uint32_t flags = lf_rx_at(set, out->part)->flags;
    const lf_rx_node *inside = lf_rx_at(set, out->inside);
    out->endless = (flags & (LF_RX_F_LOOP | LF_RX_F_BOOLEAN)) == 0 &&
                   (inside->flags & LF_RX_F_BOOLEAN) == 0 && inside->kind == LF_RX_K_REPEAT &&
                   inside->c == LF_RX_UNLIMITED;
    return set->quota->status == LFM2_OK && out->part != LF_RX_NONE && out->inside != LF_RX_ANY;
}

static bool clear(lf_compiled *m, const lf_trie *t, uint32_t at, uint32_t *bits)
{
    lf_quota *quota = &m->grammar->quota;
    uint32_t end = t->nodes[at].end;
    for (uint32_t k = t->nodes[at].tokens; k < t->nodes[end].tokens; k++) {
        uint32_t id = (uint32_t)t->ids[k];
        bits[id >> 5] &= ~((uint32_t)1 << (id & 31));
    }
    return lf_list_push(quota, &m->cleared, at) && lf_list_push(quota, &m->cleared, end);
}

/* Paths of a walk: the difference, what is inside it, and the part. */
typedef struct paths {
    lf_rx *a, *inside, *part;
} paths;

/* Where the part matches, the difference does not go on with r. */
static bool clear_next(lf_compiled *m, const lf_trie *t, uint32_t at, const lf_difference *d,
                       const paths *p, uint32_t *bits)
{
    lf_rx_set *set = m->grammar->rx;
    uint32_t depth = t->nodes[at].depth;
    for (uint32_t i = at + 1; i < t->nodes[at].end; i = t->nodes[i].end) {
        uint8_t byte = t->nodes[i].byte;
        if (!lf_rx_class_has(&set->classes[d->next], byte)) {
            continue;
        }
        lf_rx next = d->endless ? lf_rx_next(set, p->inside[depth], byte)
                                : lf_rx_next(set, p->a[depth], byte);
        if (!lf_rx_dead(set, next) || !clear(m, t, i, bits)) {
            return false; /* x goes on, too */
        }
    }
    return true;
}

bool lf_difference_subtract(lf_compiled *m, const lf_trie *t, lf_rx a, const lf_difference *d,
                            uint32_t *bits)
{
    lf_rx_set *set = m->grammar->rx;
    size_t length = m->trie->depth + (size_t)1;
    paths p = {m->path, m->path + length, m->path + 2 * length};
    p.a[0] = a;
    p.inside[0] = d->inside;
    p.part[0] = d->part;
    m->cleared.n = 0;
    bool ok = !lf_rx_nullable(set, d->part) || clear_next(m, t, 0, d, &p, bits);
    uint32_t steps = 1;
    for (uint32_t i = 1; ok && i < t->n; steps++) {
        const lf_trie_node *node = &t->nodes[i];
        uint32_t depth = node->depth;
        lf_rx part = lf_rx_next(set, p.part[depth - 1], node->byte);
        if (part == LF_RX_NONE) {
            i = node->end;
            continue;
        }
        p.part[depth] = part;
        if (d->endless) {
            p.inside[depth] = lf_rx_next(set, p.inside[depth - 1], node->byte);
        } else {
            p.a[depth] = lf_rx_next(set, p.a[depth - 1], node->byte);
        }
        if (lf_rx_dead(set, d->endless ? p.inside[depth] : p.a[depth])) {
            ok = d->endless || clear(m, t, i, bits);
            i = node->end;
            continue;
        }
        ok = !lf_rx_nullable(set, part) || clear_next(m, t, i, d, &p, bits);
        i++;
    }
    return lf_quota_step(set->quota, steps) && ok;
}

bool lf_difference_cleared(const lf_compiled *m, uint32_t node)
{
    for (uint32_t i = 0; i < m->cleared.n; i += 2) {
        if (node >= m->cleared.items[i] && node < m->cleared.items[i + 1]) {
            return true;
        }
    }
    return false;
}
