/* SPDX-License-Identifier: Apache-2.0 */
/* The vocabulary of synthetic models: byte-level BPE in LFM2's layout, built by rules instead of
 * training. Every text round-trips, because all 256 bytes are tokens. English text gives tokens of
 * plausible length. */
#include "convert/rule.h"

#include "text/chat_format.h"

#include <stdio.h>
#include <string.h>

enum {
    N_SPECIAL = 14,
    N_RESERVED = 487,     /* real files: ids 14..500 */
    RESERVED_FROM = 4096, /* smaller vocabularies have no reserved tokens */
    LARGE = 128000,       /* the vocabulary of LFM2.5's larger models: its special tokens ... */
    LARGE_FIRST = 124893, /* ... start here */
    LARGE_RESERVED = 3,   /* rows at the end; their number is inferred */
    LETTERS = 26
};

#define SPACE   "\xC4\xA0" /* U+0120, the byte 0x20 */
#define NEWLINE "\xC4\x8A" /* U+010A, the byte 0x0A */

static const char *const specials[N_SPECIAL] = {
    "<|pad|>",
    "<|startoftext|>",
    "<|endoftext|>",
    "<|fim_pre|>",
    "<|fim_mid|>",
    "<|fim_suf|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|tool_list_start|>",
    "<|tool_list_end|>",
    "<|tool_call_start|>",
    "<|tool_call_end|>",
    "<|tool_response_start|>",
    "<|tool_response_end|>",
};

/* Those of the vocabulary of 128,000 tokens, from LARGE_FIRST on. The names from `</think>` to
 * <|tool_list_end|> are inferred. */
static const char *const large_specials[] = {
    "<|pad|>",
    "<|startoftext|>",
    "<|endoftext|>",
    "<|fim_pre|>",
    "<|fim_mid|>",
    "<|fim_suf|>",
    "<|im_start|>",
    "<|im_end|>",
    "<think>",
    "</think>",
    "<|tool_call_start|>",
    "<|tool_call_end|>",
    "<|tool_list_start|>",
    "<|tool_list_end|>",
    "<image>",
    "<|tool_response_start|>",
    "<|tool_response_end|>",
};
enum { N_LARGE_SPECIAL = sizeof large_specials / sizeof large_specials[0] };

/* Frequent words; each becomes a chain of merges that starts at its leading space. */
static const char words[] =
    "the of and to in is that it for was on with as be at by this have from or had not are but "
    "what all were when we there can an your which their said if do will each about how up out "
    "them then she many some so these would other into has more her two like him see time could "
    "no make than first been its who now people my made over did down only way find use may water "
    "long little very after words called just where most know get through back much before go "
    "good new write our used me man too any day same right look think also around another came "
    "come work three word must because does part even place well such here take why things help "
    "put years different away again off went old number great tell men say small every found "
    "still between name should home big give air line set own under read last never us left end "
    "along while might next sound below saw something thought both few those always looked show "
    "large often together asked house world going want school important until form food keep "
    "children feet land side without boy once animals life enough took sometimes four head above "
    "kind began almost live page got earth need far hand high year mother light parts country "
    "father let night following picture being study second eyes soon times story boys since white "
    "days ever paper hard near sentence better best across during today others however sure means "
    "knew try told young miles sun ways thing whole hear example heard several change answer room "
    "sea against top turned learn point city play toward five using himself usually function "
    "return value string array list class public static const void import print language model "
    "data file code test system user assistant question information";

/* Frequent pairs of letters; pair_at appends all others. */
static const char pairs[] =
    "th he in er re on at nd nt es ha en st ed or it se ti is ng al to as ou el ei co me ch ro li "
    "ma ra si ce hi ca la no ne io ec ta de te di ur ll le ut su cl mo so pl ni ve of tr pe lo il "
    "tw sp am fo ir ay ac be gh ty ew bl fe da ki ab un vi ge ol wa wh ee ag ul po id ad pa va ow "
    "ke ry mi ep ia cu ss fi em sc ot ct im op fr mp gr ap ex do pr ic iv ck bo fa cr et ri od ar "
    "an us ly ho ai ci ns fu br sh qu ey lt ts ev uc ba bu nc ga go gi hu ju lu lv";

typedef struct builder {
    lf_arena *arena;
    lf_vocab_token *tokens;
    lf_vocab_merge *merges;
    uint32_t n_tokens, n_merges;
    uint32_t limit;  /* most tokens, without padding */
    uint32_t *slots; /* hash table of token texts: id + 1, 0: free */
    uint32_t mask;
} builder;

/* ---- Tokens by text ---- */

/* The slot of the text, or the free slot for it. */
static uint32_t *slot_of(const builder *b, const char *text, size_t len)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < len; i++) {
        h = (h ^ (uint8_t)text[i]) * 16777619u;
    }
    for (uint32_t at = h & b->mask;; at = (at + 1) & b->mask) {
        uint32_t *slot = &b->slots[at];
        if (*slot == 0) {
            return slot;
        }
        const lf_vocab_token *t = &b->tokens[*slot - 1];
        if (t->len == len && memcmp(t->text, text, len) == 0) {
            return slot;
        }
    }
}

static int32_t add_token(builder *b, const char *text, size_t len, int32_t kind)
{
    const char *copy = NULL;
    LF_TRY(lf_arena_string(b->arena, text, len, &copy));
    uint32_t id = b->n_tokens++;
    b->tokens[id] = (lf_vocab_token){copy, (uint32_t)len, kind};
    *slot_of(b, copy, len) = id + 1;
    return LFM2_OK;
}

/* Adds the token left + right and its merge, unless it exists, left or right does not, or the
 * vocabulary is full. */
static int32_t merge(builder *b, const char *left, const char *right)
{
    enum { TEXT_MAX = 64 };
    char text[TEXT_MAX];
    size_t nl = strlen(left);
    size_t nr = strlen(right);
    if (b->n_tokens == b->limit || nl + nr >= TEXT_MAX) {
        return LFM2_OK;
    }
    memcpy(text, left, nl);
    memcpy(text + nl, right, nr);
    uint32_t l = *slot_of(b, left, nl);
    uint32_t r = *slot_of(b, right, nr);
    if (l == 0 || r == 0 || *slot_of(b, text, nl + nr) != 0) {
        return LFM2_OK;
    }
    const lf_vocab_token *tl = &b->tokens[l - 1];
    const lf_vocab_token *tr = &b->tokens[r - 1];
    b->merges[b->n_merges++] = (lf_vocab_merge){tl->text, tr->text, tl->len, tr->len};
    return add_token(b, text, nl + nr, LFM2_TOKEN_NORMAL);
}

/* ---- Groups of tokens, in the order of their ids ---- */

static int32_t reserved_tokens(builder *b, int n)
{
    for (int i = 0; i < n; i++) {
        char name[32];
        int len = snprintf(name, sizeof name, "<|reserved_%d|>", i + 4);
        LF_TRY(add_token(b, name, (size_t)len, LFM2_TOKEN_CONTROL));
    }
    return LFM2_OK;
}

static int32_t special_tokens(builder *b, uint32_t n)
{
    for (int i = 0; i < N_SPECIAL; i++) {
        LF_TRY(add_token(b, specials[i], strlen(specials[i]), LFM2_TOKEN_CONTROL));
    }
    return reserved_tokens(b, n >= RESERVED_FROM ? N_RESERVED : 0);
}

/* Rows up to LARGE_FIRST without a token are unused. */
static int32_t large_special_tokens(builder *b)
{
    while (b->n_tokens < LARGE_FIRST) {
        b->tokens[b->n_tokens++] = (lf_vocab_token){"", 0, LFM2_TOKEN_UNUSED};
    }
    for (int i = 0; i < N_LARGE_SPECIAL; i++) {
        LF_TRY(add_token(b, large_specials[i], strlen(large_specials[i]), LFM2_TOKEN_CONTROL));
    }
    return reserved_tokens(b, LARGE - LARGE_FIRST - N_LARGE_SPECIAL - LARGE_RESERVED);
}

static bool is_printed(unsigned byte)
{
    return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

/* Printable bytes map to themselves, the others to U+0100 and up. */
static int32_t byte_tokens(builder *b)
{
    unsigned other = 0x100;
    for (unsigned byte = 0; byte < 256; byte++) {
        unsigned point = is_printed(byte) ? byte : other++;
        char text[2] = {(char)(0xC0u | point >> 6), (char)(0x80u | (point & 0x3Fu))};
        if (point < 0x80) {
            text[0] = (char)point;
        }
        LF_TRY(add_token(b, text, point < 0x80 ? 1 : 2, LFM2_TOKEN_NORMAL));
    }
    return LFM2_OK;
}

/* 2, 4 and 8 repetitions. */
static int32_t repetitions(builder *b, const char *unit)
{
    char text[16] = "";
    memcpy(text, unit, 3);
    for (int i = 0; i < 3; i++) {
        LF_TRY(merge(b, text, text));
        size_t n = strlen(text);
        if (2 * n < sizeof text) {
            memmove(text + n, text, n);
        }
    }
    return LFM2_OK;
}

/* " word": starts with the space and appends one letter at a time. */
static int32_t chain(builder *b, const char *word, size_t len, bool capital)
{
    char left[32] = SPACE;
    size_t n = strlen(left);
    for (size_t i = 0; i < len && n + 1 < sizeof left; i++) {
        char next[2] = {word[i], '\0'};
        if (capital && i == 0) {
            next[0] = (char)(next[0] - 'a' + 'A');
        }
        LF_TRY(merge(b, left, next));
        left[n++] = next[0];
        left[n] = '\0';
    }
    return LFM2_OK;
}

static int32_t word_tokens(builder *b, bool capital)
{
    for (const char *w = words; *w != '\0';) {
        size_t len = strcspn(w, " ");
        LF_TRY(chain(b, w, len, capital));
        w += len;
        w += *w == ' ';
    }
    return LFM2_OK;
}

/* Numbers of two and three digits. */
static int32_t digit_tokens(builder *b)
{
    for (int digits = 2; digits <= 3; digits++) {
        int count = digits == 2 ? 100 : 1000;
        for (int i = 0; i < count; i++) {
            char left[4];
            snprintf(left, sizeof left, "%0*d", digits - 1, i / 10);
            char right[2] = {(char)('0' + i % 10), '\0'};
            LF_TRY(merge(b, left, right));
        }
    }
    return LFM2_OK;
}

/* Pair i: first the frequent pairs, then all 676 in alphabetical order. */
enum { N_FREQUENT = sizeof pairs / 3, N_PAIRS = N_FREQUENT + LETTERS * LETTERS };

static void pair_at(int i, char out[3])
{
    int j = i - N_FREQUENT;
    out[0] = (char)(j < 0 ? pairs[3 * i] : 'a' + j / LETTERS);
    out[1] = (char)(j < 0 ? pairs[3 * i + 1] : 'a' + j % LETTERS);
    out[2] = '\0';
}

static int32_t pair_tokens(builder *b)
{
    for (int i = 0; i < N_PAIRS; i++) {
        char pair[3];
        pair_at(i, pair);
        char first[2] = {pair[0], '\0'};
        LF_TRY(merge(b, first, pair + 1));
    }
    for (int i = 0; i < N_PAIRS; i++) {
        char pair[3];
        pair_at(i, pair);
        LF_TRY(merge(b, SPACE, pair));
    }
    return LFM2_OK;
}

/* prefix + pair i + pair j of the frequent pairs, the most frequent ones first. */
static int32_t double_pairs(builder *b, const char *prefix)
{
    for (int sum = 0; sum <= 2 * (N_FREQUENT - 1); sum++) {
        for (int i = 0; i <= sum && i < N_FREQUENT; i++) {
            int j = sum - i;
            if (j >= N_FREQUENT) {
                continue;
            }
            char left[8];
            char pair[3];
            pair_at(i, pair);
            snprintf(left, sizeof left, "%s%s", prefix, pair);
            pair_at(j, pair);
            LF_TRY(merge(b, left, pair));
        }
    }
    return LFM2_OK;
}

static int32_t triples(builder *b)
{
    for (int i = 0; i < N_PAIRS; i++) {
        for (int c = 0; c < LETTERS; c++) {
            char pair[3];
            char letter[2] = {(char)('a' + c), '\0'};
            pair_at(i, pair);
            LF_TRY(merge(b, pair, letter));
        }
    }
    return LFM2_OK;
}

/* All pairs of pairs, which only the large vocabulary has space for. */
static int32_t quadruples(builder *b)
{
    for (int i = 0; i < N_PAIRS && b->n_tokens < b->limit; i++) {
        for (int j = 0; j < N_PAIRS; j++) {
            char left[3];
            char right[3];
            pair_at(i, left);
            pair_at(j, right);
            LF_TRY(merge(b, left, right));
        }
    }
    return LFM2_OK;
}

static int32_t merged_tokens(builder *b)
{
    LF_TRY(repetitions(b, NEWLINE));
    LF_TRY(repetitions(b, SPACE));
    LF_TRY(word_tokens(b, false));
    LF_TRY(word_tokens(b, true));
    LF_TRY(digit_tokens(b));
    LF_TRY(pair_tokens(b));
    LF_TRY(double_pairs(b, ""));
    LF_TRY(double_pairs(b, SPACE));
    LF_TRY(triples(b));
    return quadruples(b);
}

/* ---- Building ---- */

static int32_t builder_init(builder *b, lf_arena *arena, uint32_t n)
{
    uint32_t slots = 1024;
    while (slots < 2 * n) {
        slots *= 2;
    }
    /* published models have 1136 unused rows at the end */
    uint32_t limit = n == LARGE ? LARGE_FIRST : n - n / 58;
    *b = (builder){.arena = arena, .limit = limit, .mask = slots - 1};
    void *p = NULL;
    LF_TRY(lf_arena_new(arena, n, sizeof *b->tokens, "tokens", &p));
    b->tokens = p;
    LF_TRY(lf_arena_new(arena, n, sizeof *b->merges, "merges", &p));
    b->merges = p;
    LF_TRY(lf_arena_new(arena, slots, sizeof *b->slots, "token index", &p));
    b->slots = p;
    memset(p, 0, slots * sizeof *b->slots);
    return LFM2_OK;
}

int32_t lf_synth_vocab(lf_arena *arena, uint32_t n, lf_vocab_data *out)
{
    builder b;
    LF_TRY(builder_init(&b, arena, n));
    bool large = n == LARGE;
    if (!large) {
        LF_TRY(special_tokens(&b, n));
    }
    LF_TRY(byte_tokens(&b));
    LF_TRY(merged_tokens(&b));
    if (large) {
        LF_TRY(large_special_tokens(&b));
    }
    for (uint32_t i = b.n_tokens; i < n; i++) {
        b.tokens[i] = (lf_vocab_token){"", 0, LFM2_TOKEN_UNUSED};
    }
    void *p = NULL;
    LF_TRY(lf_arena_new(arena, 1, sizeof(lf_vocab_template), "chat template", &p));
    lf_vocab_template *t = p;
    *t = (lf_vocab_template){.name = "default",
                             .origin = "synthetic vocabulary",
                             .text = lf_chat_format,
                             .len = strlen(lf_chat_format)};
    *out = (lf_vocab_data){.n_tokens = n,
                           .n_merges = b.n_merges,
                           .tokens = b.tokens,
                           .merges = b.merges,
                           .bos_id = large ? LARGE_FIRST + 1 : 1,
                           .eos_id = large ? LARGE_FIRST + 7 : 7,
                           .pad_id = large ? LARGE_FIRST : 0,
                           .add_bos = true,
                           .templates = t,
                           .n_templates = 1,
                           .name = "synthetic vocabulary"};
    return LFM2_OK;
}
