/* SPDX-License-Identifier: Apache-2.0 */
/* Decides whether the pipeline of a tokenizer.json is LFM2's, by meaning: sequences may be nested,
 * and steps that change no token are ignored. Also reads the BOS rule of the post-processor. */
#include "load/tokenizer_json.h"

#include <stdio.h>
#include <string.h>

static int32_t refuse(const lf_tj *t, const lf_json *at, const char *what)
{
    char text[LF_SHOWN + 256];
    lf_shown shown;
    const lf_json *type = at != NULL ? lf_json_get(at, "type") : NULL;
    if (type != NULL && type->kind == LF_JSON_STRING) {
        snprintf(text, sizeof text, "not LFM2's tokenizer: %s ('%s')", what,
                 lf_show(&shown, type->text, type->len));
    } else {
        snprintf(text, sizeof text, "not LFM2's tokenizer: %s", what);
    }
    return lf_tj_fail(t, at, LFM2_E_UNSUPPORTED, "tokenizer.pipeline", text);
}

static bool is_type(const lf_json *v, const char *type)
{
    return lf_json_is_string(lf_json_get(v, "type"), type);
}

/* Absent, null, false, or empty text. */
static bool is_off(const lf_json *object, const char *key)
{
    const lf_json *v = lf_config_member(object, key);
    return v == NULL || v->kind == LF_JSON_FALSE || (v->kind == LF_JSON_STRING && v->len == 0);
}

/* A flag that is true where it is absent. */
static bool is_false(const lf_json *object, const char *key)
{
    const lf_json *v = lf_json_get(object, key);
    return v != NULL && v->kind == LF_JSON_FALSE;
}

/* ---- Steps of a pipeline ---- */

typedef struct walk {
    const lf_tj *t;
    const char *members; /* the key of a sequence's list */
    int32_t (*step)(struct walk *w, const lf_json *step);
    uint32_t n_splits, n_maps;   /* pre-tokenizer and decoder */
    const lf_json *bos;          /* post-processor: the special token before the text */
    const lf_json *bos_template; /* the template that adds it */
    bool has_template;
    uint32_t depth; /* sequences around the step */
} walk;

enum { MAX_SEQUENCES = 32 }; /* nested: bounds the recursion */

/* Calls w->step for every step of `v`, in order. A sequence contributes its members. */
static int32_t each_step(walk *w, const lf_json *v)
{
    if (v == NULL || v->kind == LF_JSON_NULL) {
        return LFM2_OK;
    }
    if (!is_type(v, "Sequence")) {
        return w->step(w, v);
    }
    const lf_json *list = lf_json_get(v, w->members);
    if (list == NULL || list->kind != LF_JSON_ARRAY) {
        char text[64];
        snprintf(text, sizeof text, "a sequence needs a list '%s'", w->members);
        return lf_tj_fail(w->t, v, LFM2_E_FORMAT, "tokenizer.pipeline", text);
    }
    if (w->depth == MAX_SEQUENCES) {
        return lf_tj_fail(w->t, v, LFM2_E_UNSUPPORTED, "tokenizer.pipeline",
                          "sequences nested too deep");
    }
    w->depth++;
    for (const lf_json *step = list->child; step != NULL; step = step->next) {
        LF_TRY(each_step(w, step));
    }
    w->depth--;
    return LFM2_OK;
}

/* Replaces a text by itself. */
static bool replaces_nothing(const lf_json *step)
{
    const lf_json *pattern = lf_json_get(lf_json_get(step, "pattern"), "String");
    const lf_json *content = lf_json_get(step, "content");
    return is_type(step, "Replace") && pattern != NULL && content != NULL &&
           pattern->kind == LF_JSON_STRING && content->kind == LF_JSON_STRING &&
           pattern->len == content->len && memcmp(pattern->text, content->text, content->len) == 0;
}

/* ---- Normalizer ---- */

/* Steps with every option off. */
static int32_t normalizer_step(walk *w, const lf_json *step)
{
    bool bert = is_type(step, "BertNormalizer") && is_false(step, "clean_text") &&
                is_false(step, "handle_chinese_chars") && is_off(step, "strip_accents") &&
                is_false(step, "lowercase");
    bool strip =
        is_type(step, "Strip") && is_off(step, "strip_left") && is_off(step, "strip_right");
    bool prepend = is_type(step, "Prepend") && is_off(step, "prepend");
    return bert || strip || prepend || replaces_nothing(step)
               ? LFM2_OK
               : refuse(w->t, step, "the normalizer changes text");
}

/* ---- Pre-tokenizer ---- */

/* The alternatives of the expression that src/text implements, each with the spellings that match
 * the same text in this place. A possessive quantifier ("++") changes nothing where what follows
 * cannot match what it took. `\s*[\r\n]` and `\s*[\r\n]+` both end at the last line break of the
 * white space; the last alternative is reached with one character of white space only. */
static const char *const alternatives[][4] = {
    {"(?i:'s|'t|'re|'ve|'m|'ll|'d)", "'(?i:[sdmt]|ll|ve|re)", "(?i:'[sdmt]|'ll|'ve|'re)"},
    {"[^\\r\\n\\p{L}\\p{N}]?\\p{L}+", "[^\\r\\n\\p{L}\\p{N}]?+\\p{L}+",
     "[^\\r\\n\\p{L}\\p{N}]?\\p{L}++", "[^\\r\\n\\p{L}\\p{N}]?+\\p{L}++"},
    {"\\p{N}{1,3}"},
    {" ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*", " ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*",
     " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*+", " ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*+"},
    {"\\s*[\\r\\n]+", "\\s*[\\r\\n]", "\\s*[\\r\\n]++"},
    {"\\s+(?!\\S)"},
    {"\\s+", "\\s", "\\s++"},
};
enum { N_ALTERNATIVES = sizeof alternatives / sizeof alternatives[0], N_SPELLINGS = 4 };

/* End of the alternative that starts at `text`: the next '|' outside of groups and classes. */
static const char *alternative_end(const char *text, const char *end)
{
    uint32_t depth = 0;
    for (bool in_class = false; text < end && (*text != '|' || depth > 0 || in_class); text++) {
        if (*text == '\\' && text + 1 < end) {
            text++;
        } else if (in_class) {
            in_class = *text != ']';
        } else if (*text == '[') {
            in_class = true;
        } else if (*text == '(') {
            depth++;
        } else if (*text == ')' && depth > 0) {
            depth--;
        }
    }
    return text;
}

static bool is_spelling(size_t alternative, const char *text, size_t len)
{
    for (size_t i = 0; i < N_SPELLINGS && alternatives[alternative][i] != NULL; i++) {
        const char *spelling = alternatives[alternative][i];
        if (strlen(spelling) == len && memcmp(spelling, text, len) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_lfm2_regex(const lf_json *regex)
{
    if (regex == NULL || regex->kind != LF_JSON_STRING) {
        return false;
    }
    const char *text = regex->text;
    const char *end = text + regex->len;
    for (size_t i = 0; i < N_ALTERNATIVES; i++) {
        const char *stop = alternative_end(text, end);
        if (!is_spelling(i, text, (size_t)(stop - text)) ||
            (stop == end) != (i + 1 == N_ALTERNATIVES)) {
            return false;
        }
        text = stop < end ? stop + 1 : end;
    }
    return true;
}

/* The expression matches every text without gaps. So matches become separate pre-tokens with each
 * behavior that neither drops nor joins them, and "Contiguous", which joins neighbors, joins all.
 */
static int32_t split_step(walk *w, const lf_json *step)
{
    const lf_json *behavior = lf_json_get(step, "behavior");
    if (!is_lfm2_regex(lf_json_get(lf_json_get(step, "pattern"), "Regex"))) {
        return refuse(w->t, step, "the pre-tokenizer splits at another expression");
    }
    if (lf_json_is_string(behavior, "Contiguous")) {
        return LFM2_OK;
    }
    bool apart = lf_json_is_string(behavior, "Isolated") ||
                 lf_json_is_string(behavior, "MergedWithPrevious") ||
                 lf_json_is_string(behavior, "MergedWithNext") ||
                 (lf_json_is_string(behavior, "Removed") && !is_off(step, "invert"));
    if (!apart) {
        return refuse(w->t, step, "the pre-tokenizer's 'behavior' drops the matches");
    }
    w->n_splits++; /* splitting a pre-token again changes nothing */
    return LFM2_OK;
}

static int32_t pre_tokenizer_step(walk *w, const lf_json *step)
{
    if (w->n_maps > 0) {
        return refuse(w->t, step, "the pre-tokenizer has a step after its byte map");
    }
    if (is_type(step, "Split")) {
        return split_step(w, step);
    }
    if (!is_type(step, "ByteLevel")) {
        return refuse(w->t, step, "the pre-tokenizer has another step");
    }
    if (!is_false(step, "add_prefix_space")) {
        return refuse(w->t, step, "the pre-tokenizer's 'add_prefix_space' is not false");
    }
    if (!is_false(step, "use_regex")) {
        return refuse(w->t, step, "the pre-tokenizer's 'use_regex' is not false");
    }
    w->n_maps++;
    return LFM2_OK;
}

static int32_t check_pre_tokenizer(const lf_tj *t)
{
    walk w = {.t = t, .members = "pretokenizers", .step = pre_tokenizer_step};
    const lf_json *v = lf_config_member(t->root, "pre_tokenizer");
    LF_TRY(each_step(&w, v));
    if (w.n_splits == 0) {
        return refuse(t, v, "the pre-tokenizer does not split");
    }
    return w.n_maps == 1 ? LFM2_OK : refuse(t, v, "the pre-tokenizer has no byte map");
}

/* ---- Model ---- */

/* A vocabulary with all 256 bytes (src/text requires it) can encode every character, so unk_token,
 * fuse_unk and byte_fallback change nothing. */
static int32_t check_model(const lf_tj *t, bool *ignore_merges)
{
    static const char *const off[] = {"continuing_subword_prefix", "end_of_word_suffix"};
    const lf_json *model = lf_json_get(t->root, "model");
    const lf_json *type = lf_config_member(model, "type"); /* old files have none */
    if (model == NULL || model->kind != LF_JSON_OBJECT ||
        (type != NULL && !lf_json_is_string(type, "BPE"))) {
        return refuse(t, model, "the model is not BPE");
    }
    for (size_t i = 0; i < sizeof off / sizeof off[0]; i++) {
        if (!is_off(model, off[i])) {
            char text[64];
            snprintf(text, sizeof text, "the model's '%s' is not empty", off[i]);
            return refuse(t, lf_json_get(model, off[i]), text);
        }
    }
    const lf_json *dropout = lf_config_member(model, "dropout");
    double rate = 0;
    if (dropout != NULL && (!lf_json_double(dropout, &rate) || rate > 0)) {
        return refuse(t, dropout, "the model's 'dropout' is not 0");
    }
    *ignore_merges = !is_off(model, "ignore_merges");
    return LFM2_OK;
}

/* ---- Decoder ---- */

/* Fuse joins the texts of tokens, which is what detokenizing does anyway. */
static int32_t decoder_step(walk *w, const lf_json *step)
{
    uint64_t start = 1;
    uint64_t stop = 1;
    bool strip = is_type(step, "Strip") && lf_json_u64(lf_json_get(step, "start"), &start) &&
                 lf_json_u64(lf_json_get(step, "stop"), &stop) && start == 0 && stop == 0;
    if (is_type(step, "ByteLevel") && w->n_maps == 0) {
        w->n_maps++;
        return LFM2_OK;
    }
    return is_type(step, "Fuse") || strip || replaces_nothing(step)
               ? LFM2_OK
               : refuse(w->t, step, "the decoder has another step");
}

static int32_t check_decoder(const lf_tj *t)
{
    walk w = {.t = t, .members = "decoders", .step = decoder_step};
    const lf_json *v = lf_config_member(t->root, "decoder");
    LF_TRY(each_step(&w, v));
    return v == NULL || w.n_maps == 1 ? LFM2_OK : refuse(t, v, "the decoder has no byte map");
}

int32_t lf_tj_check_pipeline(const lf_tj *t, bool *ignore_merges)
{
    if (t->root->kind != LF_JSON_OBJECT) {
        return lf_tj_fail(t, t->root, LFM2_E_FORMAT, "tokenizer.object", "is not a JSON object");
    }
    walk w = {.t = t, .members = "normalizers", .step = normalizer_step};
    LF_TRY(each_step(&w, lf_json_get(t->root, "normalizer")));
    LF_TRY(check_pre_tokenizer(t));
    LF_TRY(check_decoder(t));
    return check_model(t, ignore_merges);
}

/* ---- Post-processor ---- */

/* A template for one text: [text], or [BOS, text]. */
static int32_t template_step(walk *w, const lf_json *step)
{
    const lf_json *single = lf_json_get(step, "single");
    const lf_json *item = single != NULL && single->kind == LF_JSON_ARRAY ? single->child : NULL;
    w->has_template = true;
    for (; lf_json_get(item, "SpecialToken") != NULL; item = item->next) {
        if (w->bos != NULL) {
            return refuse(w->t, step, "the post-processor adds more than one token before a text");
        }
        w->bos = lf_json_get(item, "SpecialToken");
        w->bos_template = step;
    }
    if (item == NULL || lf_json_get(item, "Sequence") == NULL) {
        return refuse(w->t, step, "the post-processor's template has no text");
    }
    return item->next == NULL ? LFM2_OK
                              : refuse(w->t, step, "the post-processor adds tokens after a text");
}

/* ByteLevel changes offsets only. */
static int32_t post_processor_step(walk *w, const lf_json *step)
{
    if (is_type(step, "TemplateProcessing")) {
        return template_step(w, step);
    }
    return is_type(step, "ByteLevel") ? LFM2_OK
                                      : refuse(w->t, step, "the post-processor has another step");
}

int32_t lf_tj_bos(const lf_tj *t, int32_t *bos, bool *decided)
{
    walk w = {.t = t, .members = "processors", .step = post_processor_step};
    LF_TRY(each_step(&w, lf_config_member(t->root, "post_processor")));
    *decided = w.has_template;
    *bos = -1;
    if (w.bos == NULL) {
        return LFM2_OK;
    }
    const lf_json *id = lf_json_get(w.bos, "id");
    const lf_json *known = lf_json_get(w.bos_template, "special_tokens");
    const lf_json *ids = id != NULL && id->kind == LF_JSON_STRING
                             ? lf_json_get(lf_json_get(known, id->text), "ids")
                             : NULL;
    uint64_t number = 0;
    if (ids == NULL || ids->kind != LF_JSON_ARRAY || ids->count != 1 ||
        !lf_json_u64(ids->child, &number) || number >= t->n_tokens) {
        return lf_tj_fail(t, w.bos, LFM2_E_FORMAT, "tokenizer.template",
                          "the template's token has no id");
    }
    *bos = (int32_t)number;
    return LFM2_OK;
}
