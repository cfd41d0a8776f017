/* SPDX-License-Identifier: Apache-2.0 */
/* Checks that tokenizer.json describes LFM2's pipeline, the only one implemented, and reads the BOS
 * rule of its post-processor. */
#include "load/tokenizer_json.h"

#include <stdio.h>
#include <string.h>

/* The expression that the pre-tokenizer of src/text implements. */
static const char lfm2_regex[] =
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}|"
    " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

static int32_t refuse(const lf_tj *t, const lf_json *at, const char *what)
{
    char text[LF_SHOWN + 128];
    lf_shown shown;
    const lf_json *type = at != NULL ? lf_json_get(at, "type") : NULL;
    if (type != NULL && type->kind == LF_JSON_STRING) {
        snprintf(text, sizeof text, "%s ('%s') is not supported; only LFM2's is", what,
                 lf_show(&shown, type->text, type->len));
    } else {
        snprintf(text, sizeof text, "%s is not supported; only LFM2's is", what);
    }
    return lf_tj_fail(t, at, LFM2_E_UNSUPPORTED, "tokenizer.pipeline", text);
}

static bool is_type(const lf_json *v, const char *type)
{
    return lf_json_is_string(lf_json_get(v, "type"), type);
}

/* Whether a member is absent, null, false, or an empty string. */
static bool is_off(const lf_json *object, const char *key)
{
    const lf_json *v = lf_config_member(object, key);
    return v == NULL || v->kind == LF_JSON_FALSE || (v->kind == LF_JSON_STRING && v->len == 0);
}

static bool is_false(const lf_json *object, const char *key)
{
    const lf_json *v = lf_json_get(object, key);
    return v != NULL && v->kind == LF_JSON_FALSE;
}

static bool is_byte_map(const lf_json *v)
{
    return is_type(v, "ByteLevel") && is_false(v, "add_prefix_space") && is_false(v, "use_regex");
}

/* Whether each match becomes a pre-token. "Removed" with "invert" is an older form of "Isolated":
 * the expression matches every text without gaps. */
static bool is_split(const lf_json *v)
{
    const lf_json *behavior = lf_json_get(v, "behavior");
    bool isolated = lf_json_is_string(behavior, "Isolated") && is_off(v, "invert");
    bool removed = lf_json_is_string(behavior, "Removed") && !is_off(v, "invert");
    return is_type(v, "Split") && (isolated || removed) &&
           lf_json_is_string(lf_json_get(lf_json_get(v, "pattern"), "Regex"), lfm2_regex);
}

static int32_t check_pre_tokenizer(const lf_tj *t)
{
    const lf_json *v = lf_config_member(t->root, "pre_tokenizer");
    const lf_json *list = lf_json_get(v, "pretokenizers");
    if (!is_type(v, "Sequence") || list == NULL || list->kind != LF_JSON_ARRAY ||
        list->count != 2) {
        return refuse(t, v, "the pre-tokenizer");
    }
    if (!is_split(list->child)) {
        return refuse(t, list->child, "the pre-tokenizer's split");
    }
    return is_byte_map(list->child->next)
               ? LFM2_OK
               : refuse(t, list->child->next, "the pre-tokenizer's byte map");
}

static int32_t check_model(const lf_tj *t, bool *ignore_merges)
{
    static const char *const off[] = {"byte_fallback", "unk_token", "continuing_subword_prefix",
                                      "end_of_word_suffix"};
    const lf_json *model = lf_json_get(t->root, "model");
    if (!is_type(model, "BPE")) {
        return refuse(t, model, "the tokenizer's model");
    }
    for (size_t i = 0; i < sizeof off / sizeof off[0]; i++) {
        if (!is_off(model, off[i])) {
            char text[64];
            snprintf(text, sizeof text, "the model's '%s'", off[i]);
            return refuse(t, lf_json_get(model, off[i]), text);
        }
    }
    const lf_json *dropout = lf_config_member(model, "dropout");
    double rate = 0;
    if (dropout != NULL && (!lf_json_double(dropout, &rate) || rate > 0)) {
        return refuse(t, dropout, "the model's 'dropout'");
    }
    *ignore_merges = !is_off(model, "ignore_merges");
    return LFM2_OK;
}

int32_t lf_tj_check_pipeline(const lf_tj *t, bool *ignore_merges)
{
    if (t->root->kind != LF_JSON_OBJECT) {
        return lf_tj_fail(t, t->root, LFM2_E_FORMAT, "tokenizer.object",
                          "the file must contain a JSON object");
    }
    const lf_json *normalizer = lf_config_member(t->root, "normalizer");
    if (normalizer != NULL) {
        return refuse(t, normalizer, "the normalizer");
    }
    LF_TRY(check_pre_tokenizer(t));
    const lf_json *decoder = lf_config_member(t->root, "decoder");
    if (!is_type(decoder, "ByteLevel")) {
        return refuse(t, decoder, "the decoder");
    }
    return check_model(t, ignore_merges);
}

/* ---- Post-processor ---- */

/* Finds the template of the post-processor, which may be one step of a sequence; NULL if there is
 * none. */
static int32_t find_template(const lf_tj *t, const lf_json **out)
{
    const lf_json *v = lf_config_member(t->root, "post_processor");
    *out = NULL;
    const lf_json *step = v;
    bool sequence = is_type(v, "Sequence");
    if (sequence) {
        const lf_json *list = lf_json_get(v, "processors");
        step = list != NULL ? list->child : NULL;
    }
    for (; step != NULL; step = sequence ? step->next : NULL) {
        if (is_type(step, "TemplateProcessing") && *out == NULL) {
            *out = step;
        } else if (!is_type(step, "ByteLevel")) {
            return refuse(t, step, "the post-processor");
        }
    }
    return LFM2_OK;
}

int32_t lf_tj_bos(const lf_tj *t, int32_t *bos, bool *decided)
{
    const lf_json *template = NULL;
    LF_TRY(find_template(t, &template));
    *decided = template != NULL;
    *bos = -1;
    if (template == NULL) {
        return LFM2_OK;
    }
    /* [BOS, text] or [text] */
    const lf_json *single = lf_json_get(template, "single");
    const lf_json *piece = single != NULL ? single->child : NULL;
    const lf_json *special = lf_json_get(piece, "SpecialToken");
    if (special != NULL) {
        piece = piece->next;
    }
    if (piece == NULL || lf_json_get(piece, "Sequence") == NULL || piece->next != NULL) {
        return refuse(t, template, "the post-processor's template");
    }
    if (special == NULL) {
        return LFM2_OK;
    }
    const lf_json *id = lf_json_get(special, "id");
    const lf_json *known = lf_json_get(template, "special_tokens");
    const lf_json *ids = id != NULL && id->kind == LF_JSON_STRING
                             ? lf_json_get(lf_json_get(known, id->text), "ids")
                             : NULL;
    uint64_t number = 0;
    if (ids == NULL || ids->kind != LF_JSON_ARRAY || ids->count != 1 ||
        !lf_json_u64(ids->child, &number) || number >= t->n_tokens) {
        return lf_tj_fail(
            t, special, LFM2_E_FORMAT, "tokenizer.template",
            "the post-processor's template: its special token has no valid id in 'special_tokens'");
    }
    *bos = (int32_t)number;
    return LFM2_OK;
}
