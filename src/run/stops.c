/* SPDX-License-Identifier: Apache-2.0 */
/* Implements stop conditions. Strings are found with an Aho-Corasick automaton: a trie of the
 * strings, in which every node refers to the node of its longest proper suffix. */
#include "run/stops.h"

#include "common/sort.h"
#include "common/utf8.h"

#include <stdatomic.h>
#include <string.h>

enum { MAX_STRINGS = 1 << 12, MAX_STRING = 1 << 16, N_BYTES = 256 };

/* The strings are sorted. Each adds a section of nodes to the trie: one for each byte after the
 * longest prefix that it shares with the string before it. A string thus ends at the last node of
 * its section. */
typedef struct section {
    uint32_t first;  /* its first node; it ends where the next section begins */
    uint32_t parent; /* the node before its first node */
    uint32_t base;   /* depth of the parent */
    uint32_t string; /* index of the string among the caller's */
} section;

struct lf_stops {
    atomic_uint_fast32_t refs;
    lf_arena arena; /* contains everything, this struct included */
    uint32_t n_vocab;
    uint8_t *ids; /* a bit for each token of the vocabulary; NULL: no ids */
    section *sections;
    uint32_t n_sections;
    uint32_t *branches; /* [n_sections] the sections, ordered by parent and first byte */
    uint32_t *root;     /* [N_BYTES] the node of the string of one byte, or 0 */
    /* [n_nodes] Node 0 is the root: the empty string. */
    uint32_t n_nodes;
    uint8_t *byte;   /* the last byte of the node's string */
    uint32_t *depth; /* the length of the node's string */
    uint32_t *fail;  /* the node of its longest proper suffix in the trie */
    uint32_t *hit;   /* the node of its longest suffix that is a stop string, itself included; 0:
                        none */
};

/* ---- Sorting ---- */

static void count(uint32_t *order, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        order[i] = i;
    }
}

/* The order of strings by their bytes; of equal ones by index. */
static int string_order(const void *context, const void *first, const void *second)
{
    const char *const *strings = context;
    uint32_t a = *(const uint32_t *)first, b = *(const uint32_t *)second;
    int order = strcmp(strings[a], strings[b]);
    return order != 0 ? order : (a > b) - (a < b);
}

static int branch_order(const void *context, const void *first, const void *second)
{
    const lf_stops *s = context;
    const section *x = &s->sections[*(const uint32_t *)first];
    const section *y = &s->sections[*(const uint32_t *)second];
    if (x->parent != y->parent) {
        return x->parent < y->parent ? -1 : 1;
    }
    return (int)s->byte[x->first] - (int)s->byte[y->first];
}

/* ---- The trie ---- */

/* The child of a node for a byte; 0 if there is none. */
static uint32_t child_of(const lf_stops *s, uint32_t node, uint8_t byte)
{
    if (node == 0) {
        return s->root[byte];
    }
    bool ends = s->hit[node] == node; /* then the next node belongs to another section */
    if (!ends && s->byte[node + 1] == byte) {
        return node + 1;
    }
    uint32_t low = 0;
    uint32_t high = s->n_sections;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        const section *c = &s->sections[s->branches[mid]];
        if (c->parent < node || (c->parent == node && s->byte[c->first] < byte)) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    if (low == s->n_sections) {
        return 0;
    }
    const section *c = &s->sections[s->branches[low]];
    return c->parent == node && s->byte[c->first] == byte ? c->first : 0;
}

/* The node of the longest suffix of "the node's string, then the byte". */
static uint32_t follow(const lf_stops *s, uint32_t node, uint8_t byte)
{
    uint32_t child = child_of(s, node, byte);
    while (child == 0 && node != 0) {
        node = s->fail[node];
        child = child_of(s, node, byte);
    }
    return child;
}

/* The section that contains a node other than the root. */
static const section *section_of(const lf_stops *s, uint32_t node)
{
    uint32_t low = 0;
    uint32_t high = s->n_sections - 1;
    while (low < high) {
        uint32_t mid = high - (high - low) / 2;
        if (s->sections[mid].first <= node) {
            low = mid;
        } else {
            high = mid - 1;
        }
    }
    return &s->sections[low];
}

/* The node at a depth of 1 or more on the path to the last node of a section. */
static uint32_t node_at(const lf_stops *s, const section *c, uint32_t depth)
{
    while (depth <= c->base) {
        c = section_of(s, c->parent);
    }
    return c->first + (depth - c->base - 1);
}

static uint32_t last_of(const lf_stops *s, uint32_t index)
{
    return (index + 1 < s->n_sections ? s->sections[index + 1].first : s->n_nodes) - 1;
}

/* Divides the strings into sections. Returns the number of nodes, including the root. */
static uint32_t divide(lf_stops *s, const char *const *strings, const uint32_t *order, size_t n)
{
    uint32_t n_nodes = 1;
    const char *before = "";
    for (size_t i = 0; i < n; i++) {
        const char *string = strings[order[i]];
        size_t shared = 0;
        while (string[shared] != '\0' && string[shared] == before[shared]) {
            shared++;
        }
        before = string;
        if (string[shared] != '\0') { /* else it equals the string before it */
            section *c = &s->sections[s->n_sections];
            *c = (section){n_nodes, 0, (uint32_t)shared, order[i]};
            if (shared > 0) { /* then it is not the first section */
                c->parent = node_at(s, c - 1, (uint32_t)shared);
            }
            n_nodes += (uint32_t)strlen(string + shared);
            s->n_sections++;
        }
    }
    return n_nodes;
}

/* Sets the bytes and depths of all nodes, and marks the ends of the strings. */
static void fill_nodes(lf_stops *s, const char *const *strings)
{
    s->byte[0] = 0;
    s->depth[0] = s->fail[0] = s->hit[0] = 0;
    for (uint32_t i = 0; i < s->n_sections; i++) {
        const section *c = &s->sections[i];
        uint32_t last = last_of(s, i);
        for (uint32_t node = c->first; node <= last; node++) {
            s->depth[node] = c->base + 1 + (node - c->first);
            s->byte[node] = (uint8_t)strings[c->string][s->depth[node] - 1];
            s->hit[node] = node == last ? node : 0;
        }
    }
}

/* Sets `fail` and `hit`, in the order of depth. `open` has n_sections elements. */
static void link_nodes(lf_stops *s, uint32_t *open)
{
    uint32_t n_open = s->n_sections;
    for (uint32_t i = 0; i < n_open; i++) {
        open[i] = i;
    }
    for (uint32_t depth = 1; n_open > 0; depth++) {
        uint32_t kept = 0;
        for (uint32_t i = 0; i < n_open; i++) {
            const section *c = &s->sections[open[i]];
            uint32_t node = c->first + (depth - c->base - 1);
            if (depth > c->base) {
                uint32_t parent = node == c->first ? c->parent : node - 1;
                s->fail[node] = parent == 0 ? 0 : follow(s, s->fail[parent], s->byte[node]);
                if (s->hit[node] == 0) {
                    s->hit[node] = s->hit[s->fail[node]];
                }
            }
            if (depth <= c->base || node != last_of(s, open[i])) {
                open[kept++] = open[i];
            }
        }
        n_open = kept;
    }
}

static int32_t new_array(lf_stops *s, size_t n, size_t item, void *out)
{
    void *p = NULL;
    LF_TRY(lf_arena_new(&s->arena, n, item, "stop strings", &p));
    memcpy(out, &p, sizeof p);
    return LFM2_OK;
}

static int32_t build_strings(lf_stops *s, const char *const *strings, size_t n)
{
    uint32_t *order = NULL;
    LF_TRY(new_array(s, n, sizeof *order, &order));
    LF_TRY(new_array(s, n, sizeof *s->sections, &s->sections));
    LF_TRY(new_array(s, n, sizeof *s->branches, &s->branches));
    LF_TRY(new_array(s, N_BYTES, sizeof *s->root, &s->root));
    count(order, (uint32_t)n);
    lf_sort(order, n, sizeof *order, string_order, strings);
    uint32_t n_nodes = divide(s, strings, order, n);
    LF_TRY(new_array(s, n_nodes, sizeof *s->byte, &s->byte));
    LF_TRY(new_array(s, n_nodes, sizeof *s->depth, &s->depth));
    LF_TRY(new_array(s, n_nodes, sizeof *s->fail, &s->fail));
    LF_TRY(new_array(s, n_nodes, sizeof *s->hit, &s->hit));
    s->n_nodes = n_nodes;
    fill_nodes(s, strings);
    count(s->branches, s->n_sections);
    lf_sort(s->branches, s->n_sections, sizeof *s->branches, branch_order, s);
    memset(s->root, 0, N_BYTES * sizeof *s->root);
    for (uint32_t i = 0; i < s->n_sections; i++) {
        if (s->sections[i].parent == 0) {
            s->root[s->byte[s->sections[i].first]] = s->sections[i].first;
        }
    }
    link_nodes(s, order);
    return LFM2_OK;
}

/* ---- Creation ---- */

/* Stop strings are compared with whole characters, so they must be valid UTF-8. */
static bool is_stop_string(const char *text)
{
    size_t n = text == NULL ? 0 : strlen(text);
    return n > 0 && n <= MAX_STRING && lf_utf8_valid(text, n);
}

/* The codes are those of lfm2_generate, whose options these are. */
static int32_t check(const lf_stops_options *o)
{
    if (o->n_ids > 0 && o->ids == NULL) {
        return lf_fail(LFM2_E_ARGUMENT, "generate.stop",
                       "stop_ids is NULL although n_stop_ids is %zu", o->n_ids);
    }
    if (o->n_strings > 0 && o->strings == NULL) {
        return lf_fail(LFM2_E_ARGUMENT, "generate.stop",
                       "stop_strings is NULL although n_stop_strings is %zu", o->n_strings);
    }
    if (o->n_strings > MAX_STRINGS) {
        return lf_fail(LFM2_E_ARGUMENT, "generate.stop", "n_stop_strings is %zu; allowed: 0 to %d",
                       o->n_strings, MAX_STRINGS);
    }
    for (size_t i = 0; i < o->n_strings; i++) {
        if (!is_stop_string(o->strings[i])) {
            return lf_fail(LFM2_E_ARGUMENT, "generate.stop",
                           "stop_strings[%zu] is NULL, empty, not UTF-8 or longer than %d bytes", i,
                           MAX_STRING);
        }
    }
    return LFM2_OK;
}

static int32_t build_ids(lf_stops *s, const lf_stops_options *o)
{
    size_t bytes = o->n_vocab / 8 + 1;
    LF_TRY(new_array(s, bytes, 1, &s->ids));
    memset(s->ids, 0, bytes);
    for (size_t i = 0; i < o->n_ids; i++) {
        if (o->ids[i] >= 0 && (uint32_t)o->ids[i] < o->n_vocab) {
            s->ids[o->ids[i] / 8] |= (uint8_t)(1u << (o->ids[i] % 8));
        }
    }
    return LFM2_OK;
}

int32_t lf_stops_create(const lf_alloc *alloc, const lf_stops_options *options, lf_stops **out)
{
    LF_TRY(check(options));
    lf_stops begun = {.n_vocab = options->n_vocab};
    lf_arena_init(&begun.arena, alloc);
    void *p = NULL;
    int32_t status = lf_arena_new(&begun.arena, 1, sizeof(lf_stops), "stop strings", &p);
    if (status == LFM2_OK && options->n_ids > 0) {
        status = build_ids(&begun, options);
    }
    if (status == LFM2_OK && options->n_strings > 0) {
        status = build_strings(&begun, options->strings, options->n_strings);
    }
    if (status != LFM2_OK) {
        lf_arena_free(&begun.arena);
        return status;
    }
    lf_stops *stops = p;
    memcpy(stops, &begun, sizeof begun);
    atomic_init(&stops->refs, 1);
    *out = stops;
    return LFM2_OK;
}

lf_stops *lf_stops_retain(lf_stops *stops)
{
    atomic_fetch_add(&stops->refs, 1);
    return stops;
}

void lf_stops_free(lf_stops *stops)
{
    if (stops == NULL || atomic_fetch_sub(&stops->refs, 1) != 1) {
        return;
    }
    lf_arena arena = stops->arena;
    lf_arena_free(&arena);
}

/* ---- Use ---- */

bool lf_stops_has_id(const lf_stops *s, int32_t id)
{
    return s->ids != NULL && id >= 0 && (uint32_t)id < s->n_vocab &&
           (s->ids[id / 8] >> (id % 8) & 1) != 0;
}

bool lf_stops_find(const lf_stops *s, lf_stop_search *search, const char *text, size_t begin,
                   size_t end, lf_stop_match *match)
{
    if (s->n_sections == 0) {
        return false;
    }
    bool found = false;
    uint32_t node = search->node;
    for (size_t i = begin; i < end; i++) {
        node = follow(s, node, (uint8_t)text[i]);
        if (found && i + 1 - s->depth[node] >= match->at) {
            break; /* all that ends later also begins later */
        }
        uint32_t hit = s->hit[node];
        if (hit != 0 && (!found || i + 1 - s->depth[hit] < match->at)) {
            *match = (lf_stop_match){i + 1 - s->depth[hit], section_of(s, hit)->string};
            found = true;
        }
    }
    search->node = node;
    return found;
}

size_t lf_stops_held(const lf_stops *s, const lf_stop_search *search)
{
    return s->n_sections == 0 ? 0 : s->depth[search->node];
}
