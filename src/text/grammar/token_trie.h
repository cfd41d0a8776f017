/* SPDX-License-Identifier: Apache-2.0 */
/* The tokens of a vocabulary as tries. */
#ifndef LF_GRAMMAR_TOKEN_TRIE_H
#define LF_GRAMMAR_TOKEN_TRIE_H

#include "text/grammar/matcher.h"

/* A node stands for the bytes on the path to it. Nodes are stored before their children, and
 * children in the order of their bytes. */
typedef struct lf_trie_node {
    uint32_t end;    /* the first node after its descendants */
    uint32_t tokens; /* its own tokens: ids[tokens .. tokens of the next node - 1] */
    uint32_t below;  /* what is below it: below[this - 1]; 0: little */
    uint16_t depth;  /* the number of bytes; the root's is 0 */
    uint8_t byte;    /* the last byte */
} lf_trie_node;

/* The bytes of the nodes below a node. */
typedef struct lf_trie_below {
    uint64_t bits[4];
    uint32_t depth; /* of the deepest one, counted from the node */
} lf_trie_below;

typedef struct lf_trie {
    lf_trie_node *nodes; /* [n + 1]; the last one only ends the tokens of those before it */
    uint32_t n, capacity;
    int32_t *ids;
    uint32_t n_ids;
    uint32_t first[256]; /* the child of the root with this byte; 0: none */
    lf_trie_below *below;
    uint32_t n_below;
} lf_trie;

enum {
    LF_TRIE_TOKEN_BYTES = 1024, /* longer tokens are left out */
    LF_SHORT_TOKEN = 16         /* characters of a plain token, bytes of another short one */
};

/* Plain tokens consist of up to LF_SHORT_TOKEN whole characters that a JSON string contains as they
 * are: no controls, no quote, no backslash, no U+007F. Other tokens have up to LF_SHORT_TOKEN
 * bytes; the rest are longer. */
typedef enum { LF_PART_PLAIN = 1, LF_PART_OTHER = 2, LF_PART_LONGER = 4 } lf_token_part;

struct lf_token_trie {
    lf_alloc alloc;
    const lf_tokenizer *tokenizer;
    uint32_t n_vocab, n_words; /* n_words: of a mask */
    lf_trie shorter;           /* plain and other tokens */
    lf_trie plain, other, longer;
    uint32_t *chars[LF_SHORT_TOKEN + 1]; /* the mask of the plain tokens of 1 .. k characters */
    uint32_t *every;                     /* the mask of all bits */
    uint32_t *ends;                      /* the mask of the end tokens */
    uint32_t depth;                      /* bytes of the longest token */
    uint32_t *words;                     /* the memory of the masks */
};

static inline void lf_mask_set(uint32_t *bits, int32_t id)
{
    bits[(uint32_t)id >> 5] |= (uint32_t)1 << ((uint32_t)id & 31);
}

#endif /* LF_GRAMMAR_TOKEN_TRIE_H */
