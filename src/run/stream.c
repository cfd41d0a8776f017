/* SPDX-License-Identifier: Apache-2.0 */
/* Implements the stream: text assembly, stop conditions and log-probabilities around a sampler. */
#include "run/stream.h"

#include "common/elementary.h"
#include "run/constraint.h"
#include "run/decoder.h"
#include "run/feed.h"
#include "run/stops.h"
#include "text/utf8_stream.h"

#include <string.h>

enum {
    MAX_TOP = 64,
    TEXT_BYTES = 64, /* the first size of the text */
    SPARE_BYTES = 4  /* free after the text at any time: U+FFFD of a flush and the final 0 */
};

struct lfm2_stream {
    lfm2_model *model;
    lfm2_sampler *sampler;
    lf_stops *stops; /* NULL: no stop ids and no stop strings */
    lf_stop_search search;
    lfm2_matcher *matcher; /* NULL: no constraint */
    lf_feed feed;          /* the chat parser */
    lf_logits_hook *hook;  /* NULL: none */
    void *hook_user;
    uint32_t max_tokens, flags, n_top;
    uint32_t n_generated;
    int32_t finish; /* 0 while the text goes on */
    lf_utf8_stream utf8;
    /* The last step's text, then the bytes that are held back. The step's text ends with a 0 in
     * place of the first byte held back, which is `kept`. */
    char *text;
    size_t text_len, text_size;
    size_t reported; /* length of the last step's text */
    char kept;
    int32_t top_ids[MAX_TOP];
    float top_logprobs[MAX_TOP];
};

/* ---- Creation ---- */

static int32_t check(const lfm2_model *model, const lfm2_sampler *sampler,
                     const lfm2_stream_options *o)
{
    LF_TRY(lf_model_need_text(model));
    if (sampler->n_vocab != model->source->hparams.n_vocab) {
        return lf_fail(LFM2_E_ARGUMENT, "generate.sampler",
                       "the sampler has a vocabulary of %u tokens, the model one of %u",
                       sampler->n_vocab, model->source->hparams.n_vocab);
    }
    if (o->n_top > MAX_TOP) {
        return lf_fail(LFM2_E_ARGUMENT, "generate.n_top", "n_top is %u; allowed: 0 to %d", o->n_top,
                       MAX_TOP);
    }
    if (o->constraint != NULL && o->constraint->model != model) {
        return lf_fail(LFM2_E_ARGUMENT, "generate.constraint",
                       "the constraint was created for another model");
    }
    if (o->parser != NULL && o->parser->model != model) {
        return lf_fail(LFM2_E_ARGUMENT, "generate.parser",
                       "the chat parser was created for another model");
    }
    return LFM2_OK;
}

/* Allocates the text, the place in the constraint and the stop conditions. */
static int32_t allocate(lfm2_stream *s, const lfm2_stream_options *o)
{
    const lf_alloc *alloc = &s->model->runtime->alloc;
    void *p = NULL;
    LF_TRY(lf_new_zero(alloc, TEXT_BYTES, 1, "generated text", &p));
    s->text = p;
    s->text_size = TEXT_BYTES;
    if (o->constraint != NULL) {
        LF_TRY(lf_text_matcher_create(o->constraint, &s->matcher));
    }
    if (o->n_stop_ids == 0 && o->n_stop_strings == 0) {
        return LFM2_OK;
    }
    const lf_stops_options stops = {s->sampler->n_vocab, o->stop_ids, o->n_stop_ids,
                                    o->stop_strings, o->n_stop_strings};
    return lf_stops_create(alloc, &stops, &s->stops);
}

int32_t lf_stream_create(lfm2_model *model, lfm2_sampler *sampler,
                         const lfm2_stream_options *options, lfm2_stream **out)
{
    LF_TRY(check(model, sampler, options));
    void *p = NULL;
    LF_TRY(lf_new_zero(&model->runtime->alloc, 1, sizeof(lfm2_stream), "stream", &p));
    lfm2_stream *s = p;
    s->model = lf_model_retain(model);
    s->sampler = lf_sampler_retain(sampler);
    s->max_tokens = options->max_tokens;
    s->flags = options->flags | (options->n_top > 0 ? LFM2_STREAM_LOGPROBS : 0);
    s->n_top = options->n_top < sampler->n_vocab ? options->n_top : sampler->n_vocab;
    s->feed = (lf_feed){.alloc = &model->runtime->alloc,
                        .parser = options->parser,
                        .special = (options->flags & LFM2_STREAM_SPECIAL) != 0};
    int32_t status = allocate(s, options);
    if (status != LFM2_OK) {
        lf_stream_free(s);
        return status;
    }
    *out = s;
    return LFM2_OK;
}

int32_t lf_stream_clone(const lfm2_stream *s, lfm2_stream **out)
{
    const lf_alloc *alloc = &s->model->runtime->alloc;
    lfm2_sampler *sampler = NULL;
    lfm2_matcher *matcher = NULL;
    void *clone = NULL;
    void *text = NULL;
    int32_t status = lf_sampler_clone(s->sampler, &sampler);
    if (status == LFM2_OK && s->matcher != NULL) {
        status = lf_text_matcher_clone(s->matcher, &matcher);
    }
    status = status != LFM2_OK ? status : lf_new(alloc, 1, sizeof *s, "stream", &clone);
    status = status != LFM2_OK ? status : lf_new(alloc, s->text_size, 1, "generated text", &text);
    if (status != LFM2_OK) {
        lf_free(alloc, clone, 1, sizeof *s);
        lf_text_matcher_free(matcher);
        lf_sampler_free(sampler);
        return status;
    }
    memcpy(clone, s, sizeof *s);
    memcpy(text, s->text, s->text_len + 1);
    lfm2_stream *c = clone;
    lf_model_retain(c->model);
    c->sampler = sampler;
    c->matcher = matcher;
    c->feed = (lf_feed){.alloc = alloc};
    c->stops = s->stops == NULL ? NULL : lf_stops_retain(s->stops);
    c->text = text;
    *out = c;
    return LFM2_OK;
}

void lf_stream_free(lfm2_stream *s)
{
    if (s == NULL) {
        return;
    }
    lfm2_model *model = s->model;
    const lf_alloc *alloc = &model->runtime->alloc;
    lf_stops_free(s->stops);
    lf_text_matcher_free(s->matcher);
    lf_feed_free(&s->feed);
    lf_sampler_free(s->sampler);
    lf_free(alloc, s->text, s->text_size, 1);
    lf_free(alloc, s, 1, sizeof *s);
    lf_model_free(model);
}

lfm2_sampler *lf_stream_sampler(const lfm2_stream *s)
{
    return s->sampler;
}

uint32_t lf_stream_n_vocab(const lfm2_stream *s)
{
    return s->sampler->n_vocab;
}

void lf_stream_set_hook(lfm2_stream *s, lf_logits_hook *hook, void *user)
{
    s->hook = hook;
    s->hook_user = user;
}

void lf_stream_set_parser(lfm2_stream *s, struct lfm2_chat_parser *parser)
{
    s->feed.parser = parser;
    s->feed.special = (s->flags & LFM2_STREAM_SPECIAL) != 0;
}

/* ---- Text ---- */

/* Removes the last step's text. */
static void drop_reported(lfm2_stream *s)
{
    s->text[s->reported] = s->kept;
    s->text_len -= s->reported;
    memmove(s->text, s->text + s->reported, s->text_len);
    s->reported = 0;
    s->kept = s->text[0];
}

static int32_t reserve(lfm2_stream *s, size_t more)
{
    size_t need = s->text_len + more + SPARE_BYTES;
    if (need <= s->text_size) {
        return LFM2_OK;
    }
    const lf_alloc *alloc = &s->model->runtime->alloc;
    void *p = NULL;
    LF_TRY(lf_new(alloc, need * 2, 1, "generated text", &p));
    memcpy(p, s->text, s->text_len);
    lf_free(alloc, s->text, s->text_size, 1);
    s->text = p;
    s->text_size = need * 2;
    return LFM2_OK;
}

/* Describes a step whose text is the first `len` bytes. */
static void report(lfm2_stream *s, int32_t id, size_t len, lfm2_stream_step *step)
{
    s->reported = len;
    s->kept = s->text[len];
    s->text[len] = '\0';
    *step = (lfm2_stream_step){.size = sizeof *step,
                               .id = id,
                               .finish = s->finish,
                               .text = s->text,
                               .len = len,
                               .n_generated = s->n_generated,
                               .stop_string = -1,
                               .top_ids = s->top_ids,
                               .top_logprobs = s->top_logprobs};
}

/* ---- Log-probabilities of the raw logits ---- */

static float log_probabilities(lfm2_stream *s, const float *logits, int32_t id)
{
    const lf_ops *ops = &s->model->runtime->kernels.ops;
    size_t n = s->sampler->n_vocab;
    float max = ops->max(n, logits);
    float log_sum = (float)lf_log_f64((double)ops->sum_exp(n, logits, max, NULL));
    size_t used = 0;
    for (size_t i = 0; i < n && s->n_top > 0; i++) {
        if (used == s->n_top && !(logits[i] > s->top_logprobs[used - 1])) {
            continue;
        }
        size_t at = used < s->n_top ? used++ : used - 1;
        for (; at > 0 && logits[i] > s->top_logprobs[at - 1]; at--) {
            s->top_ids[at] = s->top_ids[at - 1];
            s->top_logprobs[at] = s->top_logprobs[at - 1];
        }
        s->top_ids[at] = (int32_t)i;
        s->top_logprobs[at] = logits[i];
    }
    for (size_t i = 0; i < used; i++) {
        s->top_logprobs[i] = s->top_logprobs[i] - max - log_sum;
    }
    return logits[id] - max - log_sum;
}

/* ---- Steps ---- */

static int32_t check_open(const lfm2_stream *s)
{
    if (s->finish != 0) {
        return lf_fail(LFM2_E_STATE, "stream.finished",
                       "the text has ended (finish is %d); flush the stream to begin another one",
                       s->finish);
    }
    return LFM2_OK;
}

static bool is_stop_token(const lfm2_stream *s, int32_t id)
{
    return (s->stops != NULL && lf_stops_has_id(s->stops, id)) ||
           ((s->flags & LFM2_STREAM_IGNORE_EOS) == 0 &&
            lf_tokenizer_is_end(s->model->tokenizer, id));
}

/* Adds a token's text. Returns whether a stop string ends it; then the text is cut. */
static bool extend_text(lfm2_stream *s, const char *bytes, size_t n, lf_stop_match *match)
{
    size_t before = s->text_len;
    s->text_len += lf_utf8_push(&s->utf8, bytes, n, s->text + before);
    if (s->stops == NULL ||
        !lf_stops_find(s->stops, &s->search, s->text, before, s->text_len, match)) {
        return false;
    }
    s->text_len = match->at;
    s->utf8 = (lf_utf8_stream){0};
    return true;
}

/* Ends the text at a stop token. */
static int32_t append_stop(lfm2_stream *s, int32_t id, lfm2_stream_step *step)
{
    if (s->matcher != NULL) {
        LF_TRY(lf_text_matcher_accept(s->matcher, id));
    }
    lf_sampler_accept(s->sampler, id);
    lf_feed_all(&s->feed);
    lf_feed_stop(&s->feed, id);
    s->finish = LFM2_FINISH_STOP_TOKEN;
    report(s, id, 0, step);
    return LFM2_OK;
}

/* Whether the token ends the text. Without LFM2_STREAM_IGNORE_EOS end tokens do, and with a
 * constraint they always do. */
static bool ends_text(const lfm2_stream *s, int32_t id)
{
    return is_stop_token(s, id) ||
           (s->matcher != NULL && lf_tokenizer_is_end(s->model->tokenizer, id));
}

/* Gives the chat parser what the last step made final. End tokens that do not end the text are no
 * part of the message, unless the text shows their names. */
static void feed(lfm2_stream *s, int32_t id, bool stopped)
{
    if ((s->flags & LFM2_STREAM_SPECIAL) != 0 || !lf_tokenizer_is_end(s->model->tokenizer, id)) {
        lf_feed_add(&s->feed, id);
    }
    if (s->stops == NULL) {
        lf_feed_all(&s->feed);
        return;
    }
    lf_feed_text(&s->feed, s->reported);
    if (stopped) {
        lf_feed_cut(&s->feed);
    }
}

/* Appends a token to the text. A failure changes nothing. */
static int32_t append(lfm2_stream *s, int32_t id, const float *logits, lfm2_stream_step *step)
{
    drop_reported(s);
    LF_TRY(lf_feed_reserve(&s->feed));
    if (ends_text(s, id)) {
        return append_stop(s, id, step);
    }
    const char *bytes = NULL;
    size_t n = 0;
    bool special = (s->flags & LFM2_STREAM_SPECIAL) != 0;
    LF_TRY(lf_decoder_bytes(s->model->tokenizer, id, special, &bytes, &n));
    LF_TRY(reserve(s, lf_utf8_push_bound(n)));
    if (s->matcher != NULL) {
        LF_TRY(lf_text_matcher_accept(s->matcher, id));
    }
    lf_sampler_accept(s->sampler, id);
    s->n_generated++;
    lf_stop_match match = {0};
    bool stopped = extend_text(s, bytes, n, &match);
    if (stopped) {
        s->finish = LFM2_FINISH_STOP_STRING;
    } else if (s->max_tokens != 0 && s->n_generated >= s->max_tokens) {
        s->finish = LFM2_FINISH_LENGTH;
    }
    size_t held = stopped || s->stops == NULL ? 0 : lf_stops_held(s->stops, &s->search);
    report(s, id, s->text_len - held, step);
    feed(s, id, stopped);
    step->stop_string = stopped ? (int32_t)match.string : -1;
    if (logits != NULL && (s->flags & LFM2_STREAM_LOGPROBS) != 0) {
        step->logprob = log_probabilities(s, logits, id);
        step->n_top = s->n_top;
    }
    return LFM2_OK;
}

/* Appends a token that the constraint forces. */
static int32_t append_forced(lfm2_stream *s, int32_t id, lfm2_stream_step *step)
{
    LF_TRY(append(s, id, NULL, step));
    step->forced = 1;
    return LFM2_OK;
}

/* The next tokens that are forced. */
static int32_t find_forced(lfm2_stream *s, const int32_t **ids, size_t *n)
{
    *n = 0;
    return s->matcher == NULL ? LFM2_OK : lf_text_matcher_forced(s->matcher, ids, n);
}

int32_t lf_stream_prompt(lfm2_stream *s, const int32_t *ids, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (ids[i] < 0 || (uint32_t)ids[i] >= s->sampler->n_vocab) {
            return lf_fail(LFM2_E_ARGUMENT, "stream.token", "ids[%zu] is %d; allowed: 0 to %u", i,
                           ids[i], s->sampler->n_vocab - 1);
        }
    }
    for (size_t i = 0; i < n; i++) {
        lf_sampler_accept(s->sampler, ids[i]);
    }
    return LFM2_OK;
}

/* Lets the hook and the constraint change a copy of the logits. */
static int32_t change_logits(lfm2_stream *s, const float **logits)
{
    lfm2_sampler *sampler = s->sampler;
    if (s->hook == NULL && s->matcher == NULL) {
        return LFM2_OK;
    }
    memcpy(sampler->logits, *logits, sampler->n_vocab * sizeof **logits);
    *logits = sampler->logits;
    if (s->hook != NULL && s->hook(s->hook_user, sampler->logits, sampler->n_vocab) != 0) {
        return lf_fail(LFM2_E_STOPPED, "stream.stopped", "the logits hook stopped the stream");
    }
    if (s->matcher != NULL) {
        bool ends = (s->flags & LFM2_STREAM_IGNORE_EOS) == 0;
        return lf_text_matcher_apply(s->matcher, ends, sampler->logits);
    }
    return LFM2_OK;
}

int32_t lf_stream_sample(lfm2_stream *s, const float *logits, lfm2_stream_step *step)
{
    const int32_t *forced = NULL;
    size_t n_forced = 0;
    LF_TRY(check_open(s));
    LF_TRY(find_forced(s, &forced, &n_forced));
    if (n_forced > 0) {
        return append_forced(s, forced[0], step);
    }
    const float *changed = logits;
    LF_TRY(change_logits(s, &changed));
    uint64_t random = s->sampler->random;
    int32_t id = 0;
    LF_TRY(lf_sampler_sample(s->sampler, changed, &id));
    int32_t status = append(s, id, logits, step);
    if (status != LFM2_OK) {
        s->sampler->random = random;
    }
    return status;
}

int32_t lf_stream_force(lfm2_stream *s, int32_t id, const float *logits, lfm2_stream_step *step)
{
    const int32_t *forced = NULL;
    size_t n_forced = 0;
    LF_TRY(check_open(s));
    if (id < 0 || (uint32_t)id >= s->sampler->n_vocab) {
        return lf_fail(LFM2_E_ARGUMENT, "stream.token", "id is %d; allowed: 0 to %u", id,
                       s->sampler->n_vocab - 1);
    }
    LF_TRY(find_forced(s, &forced, &n_forced));
    if (n_forced > 0 && forced[0] == id) {
        return append_forced(s, id, step);
    }
    return append(s, id, logits, step);
}

int32_t lf_stream_forced(lfm2_stream *s, const int32_t **ids, size_t *n)
{
    LF_TRY(check_open(s));
    return find_forced(s, ids, n);
}

void lf_stream_flush(lfm2_stream *s, lfm2_stream_step *step)
{
    drop_reported(s);
    s->text_len += lf_utf8_flush(&s->utf8, s->text + s->text_len);
    report(s, -1, s->text_len, step);
    lf_feed_all(&s->feed);
    lf_feed_finish(&s->feed);
    if (s->matcher != NULL) {
        lf_text_matcher_reset(s->matcher);
    }
    s->search = (lf_stop_search){0};
    s->finish = 0;
    s->n_generated = 0;
}
