/* SPDX-License-Identifier: Apache-2.0 */
/* End tokens and sampling from generation_config.json, GGUF's keys, and the model cards. README.md
 * has the order in which they count. */
#include "load/generation.h"

#include <stdio.h>
#include <string.h>

/* ---- End tokens ---- */

int32_t lf_end_add(lf_ends *ends, int32_t id, const char *name)
{
    for (uint32_t i = 0; i < ends->n; i++) {
        if (ends->ids[i] == id) {
            return LFM2_OK;
        }
    }
    if (ends->n == LF_MAX_ENDS) {
        return lf_fail(LFM2_E_FORMAT, "generation.ends",
                       "%s: key 'eos_token_id': the list has more than %d tokens, the limit", name,
                       LF_MAX_ENDS);
    }
    ends->ids[ends->n++] = id;
    return LFM2_OK;
}

/* ---- Values from files ---- */

enum { TEMPERATURE, TOP_K, TOP_P, MIN_P, PENALTY, LAST_N, VALUES };

static const struct {
    const char *json, *gguf;
    double low, high; /* of values that a sampler accepts */
} value_keys[VALUES] = {
    [TEMPERATURE] = {"temperature", "general.sampling.temp", 0, 1e6},
    [TOP_K] = {"top_k", "general.sampling.top_k", -1, INT32_MAX},
    [TOP_P] = {"top_p", "general.sampling.top_p", 1e-6, 1},
    [MIN_P] = {"min_p", "general.sampling.min_p", 0, 1},
    [PENALTY] = {"repetition_penalty", "general.sampling.penalty_repeat", 1e-3, 1e3},
    [LAST_N] = {NULL, "general.sampling.penalty_last_n", -1, 1 << 24},
};

/* Values that a file or a card sets. */
typedef struct values {
    bool set[VALUES];
    double value[VALUES];
} values;

/* Sets value k. Whole numbers are rounded toward 0; below 0 means off for top-k. */
static void take(const lf_source *source, values *v, int k, bool is_number, double value,
                 const char *name, const char *key)
{
    if (!is_number || !(value >= value_keys[k].low && value <= value_keys[k].high)) {
        lf_log_write(source->log, LFM2_LOG_WARN,
                     "%s: key '%s': the value is ignored; it must be a number from %.10g to %.10g",
                     name, key, value_keys[k].low, value_keys[k].high);
        return;
    }
    v->set[k] = true;
    v->value[k] = k == TOP_K && value < 0 ? 0 : value;
}

/* The values of a source before the defaults: those of the file, then those of `card`. top-k, top-p
 * and min-p are chosen together: if the file sets one of them, the others are off. */
static void merge(const values *file, const values *card, lf_sampling *out)
{
    static const double off[VALUES] = {
        [TEMPERATURE] = 1, [TOP_P] = 1, [PENALTY] = 1, [LAST_N] = -1};
    bool filters = file->set[TOP_K] || file->set[TOP_P] || file->set[MIN_P];
    double v[VALUES];
    for (int k = 0; k < VALUES; k++) {
        bool filter = k == TOP_K || k == TOP_P || k == MIN_P;
        bool from_card = card->set[k] && !(filter && filters);
        v[k] = file->set[k] ? file->value[k] : from_card ? card->value[k] : off[k];
    }
    *out = (lf_sampling){.temperature = (float)v[TEMPERATURE],
                         .top_k = (int32_t)v[TOP_K],
                         .top_p = (float)v[TOP_P],
                         .min_p = (float)v[MIN_P],
                         .repetition_penalty = (float)v[PENALTY],
                         .penalty_last_n = (int32_t)v[LAST_N]};
}

/* Stores what a file sets, until lf_generation_finish. */
static int32_t keep(lf_source *source, const values *v, const char *origin)
{
    bool any = false;
    for (int k = 0; k < VALUES; k++) {
        any = any || v->set[k];
    }
    if (!any) {
        return LFM2_OK;
    }
    void *p = NULL;
    LF_TRY(lf_arena_new(&source->arena, 1, sizeof *v, "sampling", &p));
    memcpy(p, v, sizeof *v);
    source->sampling.given = p;
    source->sampling.origin = origin;
    return LFM2_OK;
}

int32_t lf_generation_from_json(lf_source *source, const lf_json *root, const char *name,
                                lf_config_json *config)
{
    if (root->kind != LF_JSON_OBJECT) {
        return lf_fail(LFM2_E_FORMAT, "config.object", "%s: the file must contain a JSON object",
                       name);
    }
    lf_ends ends = {.n = 0};
    LF_TRY(lf_config_ends(root, name, &ends));
    if (ends.n > 0) {
        config->ends = ends;
        config->ends_file = "generation_config.json";
    }
    values v = {{false}, {0}};
    for (int k = 0; k < VALUES; k++) {
        const lf_json *number =
            value_keys[k].json != NULL ? lf_config_member(root, value_keys[k].json) : NULL;
        double value = 0;
        if (number != NULL) {
            bool is_number = lf_json_double(number, &value);
            take(source, &v, k, is_number, value, name, value_keys[k].json);
        }
    }
    const lf_json *sample = lf_config_member(root, "do_sample");
    if (sample != NULL && sample->kind == LF_JSON_FALSE) { /* greedy */
        v.set[TEMPERATURE] = true;
        v.value[TEMPERATURE] = 0;
    }
    return keep(source, &v, "generation_config.json");
}

int32_t lf_generation_from_gguf(lf_source *source, const lf_gguf *g)
{
    values v = {{false}, {0}};
    for (int k = 0; k < VALUES; k++) {
        const lf_gguf_value *number = lf_gguf_find(g, value_keys[k].gguf);
        double value = 0;
        if (number != NULL) {
            bool is_number = lf_gguf_number(number, &value);
            take(source, &v, k, is_number, value, g->file->path, value_keys[k].gguf);
        }
    }
    return keep(source, &v, "general.sampling");
}

/* ---- Model cards ---- */

#define CARD(t, k, m, r)                                                                           \
    {                                                                                              \
        {true, (k) > 0, false, (m) > 0, true, false},                                              \
        {                                                                                          \
            (t), (k), 1, (m), (r), -1                                                              \
        }                                                                                          \
    }

/* LFM2.5's values for 2.6B and for 24B-A2B are inferred. */
enum { LFM2, LFM2_24B, LFM25, LFM25_8B };
static const values cards[] = {
    [LFM2] = CARD(0.3, 0, 0.15, 1.05),
    [LFM2_24B] = CARD(0.1, 50, 0, 1.05),
    [LFM25] = CARD(0.1, 50, 0, 1.05),
    [LFM25_8B] = CARD(0.2, 80, 0, 1.05),
};

/* The sizes of the published models. Width, layers and experts identify a size. */
static const struct {
    uint32_t n_embd, n_layer, n_expert;
    const char *size, *pattern;
    int lfm2, lfm25; /* cards */
} sizes[] = {
    {1024, 14, 0, "230M", "230m", LFM25, LFM25},
    {1024, 16, 0, "350M", "350m", LFM2, LFM25},
    {1536, 16, 0, "700M", "700m", LFM2, LFM25},
    {2048, 16, 0, "1.2B", "1.2b", LFM2, LFM25},
    {2048, 30, 0, "2.6B", "2.6b", LFM2, LFM25},
    {2048, 24, 32, "8B-A1B", "8b-a1b", LFM2, LFM25_8B},
    {2048, 40, 64, "24B-A2B", "24b-a2b", LFM2_24B, LFM2_24B},
};
enum { N_SIZES = sizeof sizes / sizeof sizes[0] };

/* Whether a character of a name is the pattern's, in any case and with any separator. */
static bool same_char(char c, char pattern)
{
    static const char separators[] = " -_.";
    if (c >= 'A' && c <= 'Z') {
        c = (char)(c - 'A' + 'a');
    }
    bool separator = strchr(separators, pattern) != NULL;
    return c != '\0' && (separator ? strchr(separators, c) != NULL : c == pattern);
}

/* Whether a name has the pattern, in lower case, as a component of its own. */
static bool names(const char *name, const char *pattern)
{
    bool begins = true;
    for (const char *p = name != NULL ? name : ""; *p != '\0'; p++) {
        size_t n = 0;
        while (pattern[n] != '\0' && same_char(p[n], pattern[n])) {
            n++;
        }
        bool ends = pattern[n] == '\0' && (p[n] < '0' || p[n] > '9');
        if (begins && ends) {
            return true;
        }
        begins = strchr(" -_./", *p) != NULL;
    }
    return false;
}

/* The last component of the model's path. */
static const char *file_name(const lf_source *source)
{
    const char *slash = strrchr(source->path, '/');
    return slash != NULL ? slash + 1 : source->path;
}

/* LFM2.5's tokenizer with 64,400 tokens differs from LFM2's in that the tool-call tokens are not
 * special. */
static bool has_lfm25_tokens(const lf_vocab_data *vocab)
{
    static const char call[] = "<|tool_call_start|>";
    enum { CALL = 10 };
    return vocab->n_tokens > CALL && vocab->tokens[CALL].kind == LFM2_TOKEN_USER &&
           vocab->tokens[CALL].len == sizeof call - 1 &&
           memcmp(vocab->tokens[CALL].text, call, sizeof call - 1) == 0;
}

static bool is_lfm25(const lf_source *source)
{
    enum { LARGE_VOCAB = 128000 }; /* only models of LFM2.5 have it */
    return source->hparams.n_vocab == LARGE_VOCAB || names(source->name, "lfm2.5") ||
           names(file_name(source), "lfm2.5") || has_lfm25_tokens(&source->vocab);
}

/* The index of the model's size, by its shape or else by its name; N_SIZES if it is unknown. */
static size_t find_size(const lf_source *source)
{
    const lf_hparams *h = &source->hparams;
    for (size_t i = 0; i < N_SIZES; i++) {
        if (h->n_embd == sizes[i].n_embd && h->n_layer == sizes[i].n_layer &&
            h->n_expert == sizes[i].n_expert) {
            return i;
        }
    }
    const char *const candidates[] = {source->name, file_name(source)};
    for (size_t c = 0; c < 2; c++) {
        bool lfm2 = names(candidates[c], "lfm2") || names(candidates[c], "lfm2.5");
        for (size_t i = 0; i < N_SIZES && lfm2; i++) {
            if (names(candidates[c], sizes[i].pattern)) {
                return i;
            }
        }
    }
    return N_SIZES;
}

int32_t lf_generation_finish(lf_source *source)
{
    static const values none;
    const values *given = source->sampling.given != NULL ? source->sampling.given : &none;
    const char *origin = source->sampling.origin;
    size_t size = find_size(source);
    bool newer = is_lfm25(source) || (size < N_SIZES && sizes[size].lfm2 == LFM25);
    int card = newer ? LFM25 : LFM2;
    char text[160] = "defaults of LFM2, as the model is not a published one";
    if (size < N_SIZES) {
        card = newer ? sizes[size].lfm25 : sizes[size].lfm2;
        snprintf(text, sizeof text, "model card of %s-%s", newer ? "LFM2.5" : "LFM2",
                 sizes[size].size);
    } else if (newer) {
        snprintf(text, sizeof text, "model cards of LFM2.5");
    }
    if (origin != NULL) {
        char rest[sizeof text];
        memcpy(rest, text, sizeof rest);
        snprintf(text, sizeof text, "%s, then %.120s", origin, rest);
    }
    merge(given, &cards[card], &source->sampling);
    source->sampling.from_file = origin != NULL;
    return lf_arena_string(&source->arena, text, strlen(text), &source->sampling.origin);
}
