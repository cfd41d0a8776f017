/* SPDX-License-Identifier: Apache-2.0 */
/* Implements the functions of lfm2.h for constraints and matchers: checks arguments and calls
 * run/. */
#include "api.h"

#include "run/constraint.h"

#include <string.h>

/* ---- Constraint ---- */

static const lfm2_constraint_options constraint_defaults = {.size = sizeof constraint_defaults};

void lfm2_constraint_options_init(lfm2_constraint_options *options, size_t size)
{
    lf_api_init(options, size, &constraint_defaults, sizeof constraint_defaults);
}

static int32_t check_range(const char *name, int32_t value, int32_t least, int32_t most)
{
    if (value < least || value > most) {
        return lf_fail(LFM2_E_ARGUMENT, "constraint.option", "%s is %d; allowed: %d to %d", name,
                       value, least, most);
    }
    return LFM2_OK;
}

static int32_t check_options(const lfm2_constraint_options *o)
{
    const uint32_t known = LFM2_CONSTRAINT_LENIENT | LFM2_CONSTRAINT_ONE_CALL;
    LF_TRY(lf_api_flags(o->flags, known, "flags"));
    LF_TRY(check_range("space", o->space, LFM2_SPACE_JSON, LFM2_SPACE_FLEXIBLE));
    LF_TRY(check_range("reasoning", o->reasoning, LFM2_REASONING_NONE, LFM2_REASONING_OPEN));
    LF_TRY(
        check_range("tool_choice", o->tool_choice, LFM2_TOOL_CHOICE_AUTO, LFM2_TOOL_CHOICE_NAMED));
    if ((o->tool_name != NULL) != (o->tool_choice == LFM2_TOOL_CHOICE_NAMED)) {
        return lf_fail(LFM2_E_ARGUMENT, "constraint.option",
                       "tool_name must be given with LFM2_TOOL_CHOICE_NAMED, and only then");
    }
    return LFM2_OK;
}

int32_t lfm2_constraint_create(lfm2_model *model, int32_t kind, const char *text, size_t len,
                               const lfm2_constraint_options *options, lfm2_constraint **out)
{
    if (model == NULL || out == NULL || (text == NULL && len > 0)) {
        return lf_api_null(model == NULL ? "model" : out == NULL ? "out" : "text");
    }
    lfm2_constraint_options o = constraint_defaults;
    LF_TRY(lf_api_read("options", options, LF_API_FIRST(lfm2_constraint_options, stack), &o,
                       sizeof o));
    LF_TRY(check_range("kind", kind, LFM2_CONSTRAINT_JSON_SCHEMA, LFM2_CONSTRAINT_TOOLS));
    LF_TRY(check_options(&o));
    return lf_constraint_create(model, kind, text == NULL ? "" : text, len, &o, out);
}

lfm2_constraint *lfm2_constraint_retain(lfm2_constraint *constraint)
{
    return constraint == NULL ? NULL : lf_constraint_retain(constraint);
}

void lfm2_constraint_free(lfm2_constraint *constraint)
{
    lf_constraint_free(constraint);
}

const char *lfm2_constraint_ignored(const lfm2_constraint *constraint)
{
    return constraint == NULL ? "" : constraint->ignored != NULL ? constraint->ignored : "[]";
}

/* ---- Matcher ---- */

int32_t lfm2_matcher_create(lfm2_constraint *constraint, lfm2_matcher **out)
{
    if (constraint == NULL || out == NULL) {
        return lf_api_null(constraint == NULL ? "constraint" : "out");
    }
    return lf_text_matcher_create(constraint, out);
}

int32_t lfm2_matcher_clone(const lfm2_matcher *matcher, lfm2_matcher **out)
{
    if (matcher == NULL || out == NULL) {
        return lf_api_null(matcher == NULL ? "matcher" : "out");
    }
    return lf_text_matcher_clone(matcher, out);
}

void lfm2_matcher_free(lfm2_matcher *matcher)
{
    lf_text_matcher_free(matcher);
}

int32_t lfm2_matcher_reset(lfm2_matcher *matcher)
{
    if (matcher == NULL) {
        return lf_api_null("matcher");
    }
    lf_text_matcher_reset(matcher);
    return LFM2_OK;
}

int32_t lfm2_matcher_mask(lfm2_matcher *matcher, uint32_t *bits, size_t n_words)
{
    if (matcher == NULL || bits == NULL) {
        return lf_api_null(matcher == NULL ? "matcher" : "bits");
    }
    size_t n_vocab = lf_tokenizer_size(matcher->constraint->model->tokenizer);
    if (n_words != (n_vocab + 31) / 32) {
        return lf_fail(LFM2_E_ARGUMENT, "constraint.n_words", "n_words is %zu; required: %zu",
                       n_words, (n_vocab + 31) / 32);
    }
    return lf_text_matcher_mask(matcher, bits);
}

int32_t lfm2_matcher_accept(lfm2_matcher *matcher, int32_t id)
{
    if (matcher == NULL) {
        return lf_api_null("matcher");
    }
    uint32_t n_vocab = lf_tokenizer_size(matcher->constraint->model->tokenizer);
    if (id < 0 || (uint32_t)id >= n_vocab) {
        return lf_fail(LFM2_E_ARGUMENT, "constraint.token", "id is %d; allowed: 0 to %u", id,
                       n_vocab - 1);
    }
    return lf_text_matcher_accept(matcher, id);
}

int32_t lfm2_matcher_accept_text(lfm2_matcher *matcher, const char *text, size_t len)
{
    if (matcher == NULL || (text == NULL && len > 0)) {
        return lf_api_null(matcher == NULL ? "matcher" : "text");
    }
    return lf_text_matcher_accept_text(matcher, text == NULL ? "" : text, len);
}

int32_t lfm2_matcher_is_complete(const lfm2_matcher *matcher)
{
    return matcher != NULL && lf_text_matcher_is_complete(matcher);
}

int32_t lfm2_matcher_forced(lfm2_matcher *matcher, int32_t *ids, size_t capacity, size_t *n)
{
    if (matcher == NULL || n == NULL || (ids == NULL && capacity > 0)) {
        return lf_api_null(matcher == NULL ? "matcher" : n == NULL ? "n" : "ids");
    }
    const int32_t *forced = NULL;
    size_t n_forced = 0;
    LF_TRY(lf_text_matcher_forced(matcher, &forced, &n_forced));
    return lf_api_ids(forced, n_forced, ids, capacity, n);
}
