/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a generated text with stop strings: the stream gives what a decoder and a slow
 * search for stop strings give, and its chat parser gets the same text. Three bytes of options are
 * followed by the stop strings, each ended by 0xFF, and the text. In the text, 0xFF, which UTF-8
 * never contains, begins another operation.
 */
#include "fuzz/target.h"
#include "support/random.h"
#include "support/stop_search.h"
#include "text/utf8_stream.h"

#include "lfm2_tools.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_STOPS = 8, STOP_BYTES = 64, SEPARATOR = 0xFF };

static lfm2_model *model; /* with its tokenizer only; until the process ends */
static uint32_t n_vocab;
static int32_t byte_ids[256];
static float *logits;  /* [n_vocab] */
static float *changed; /* [n_vocab] what the hook makes of them */

static void set_up(void)
{
    lfm2_runtime *runtime = fuzz_runtime(LFM2_KERNELS_SCALAR);
    const char *path = fuzz_file("stream.gguf");
    lfm2_model_options options;
    lfm2_model_options_init(&options, sizeof options);
    options.mode = LFM2_LOAD_TOKENIZER;
    fuzz_must(lfm2_synthesize(runtime, "tiny", 1, path, NULL) == LFM2_OK);
    fuzz_must(lfm2_model_load(runtime, path, &options, &model) == LFM2_OK);
    lfm2_model_info info = {.size = sizeof info};
    fuzz_must(lfm2_model_get_info(model, &info) == LFM2_OK);
    n_vocab = info.n_vocab;
    for (int32_t id = 0; id < (int32_t)n_vocab; id++) {
        const char *bytes = NULL;
        size_t len = 0;
        int32_t kind = 0;
        fuzz_must(lfm2_token_get(model, id, &bytes, &len, &kind) == LFM2_OK);
        if (len == 1 && kind == LFM2_TOKEN_NORMAL) {
            byte_ids[(uint8_t)bytes[0]] = id;
        }
    }
    logits = malloc(2 * n_vocab * sizeof *logits);
    fuzz_must(logits != NULL);
    changed = logits + n_vocab;
}

/* ---- The input ---- */

typedef struct input {
    const uint8_t *data;
    size_t left;
} input;

static uint8_t take(input *in)
{
    if (in->left == 0) {
        return 0;
    }
    in->left--;
    return *in->data++;
}

typedef struct stop_list {
    char texts[MAX_STOPS][STOP_BYTES + 1];
    const char *strings[MAX_STOPS];
    size_t n;
} stop_list;

static void read_stops(input *in, size_t n, stop_list *stops)
{
    for (stops->n = 0; stops->n < n; stops->n++) {
        char *text = stops->texts[stops->n];
        size_t len = 0;
        while (in->left > 0 && in->data[0] != SEPARATOR && len < STOP_BYTES) {
            text[len++] = (char)take(in);
        }
        take(in);
        text[len] = '\0';
        stops->strings[stops->n] = text;
    }
}

/* ---- What is expected ---- */

typedef struct reference {
    const lfm2_stream_options *options;
    lfm2_decoder *decoder;
    lfm2_sampler *sampler;
    char *text; /* what is held back */
    size_t len;
    uint32_t n_generated;
    int32_t finish;
    lfm2_chat_parser *parser; /* NULL: the stream has none, as it is a clone */
    char *shown;              /* the text so far */
    size_t n_shown;
} reference;

/* The source of the parser is the text, with what is no UTF-8 as it is, and the token that ended
 * it. Names of control tokens are compared only if the text has them. */
static void check_source(reference *r)
{
    size_t n = 0, len = 0;
    lf_utf8_stream utf8 = {0};
    const char *source = lfm2_chat_parser_source(r->parser, &n);
    if ((r->options->flags & LFM2_STREAM_SPECIAL) == 0) {
        return;
    }
    char *text = malloc(lf_utf8_push_bound(n) + 4);
    fuzz_must(text != NULL);
    len = lf_utf8_push(&utf8, source, n, text);
    len += lf_utf8_flush(&utf8, text + len);
    fuzz_must(len >= r->n_shown && memcmp(text, r->shown, r->n_shown) == 0);
    fuzz_must(len == r->n_shown || r->finish == LFM2_FINISH_STOP_TOKEN);
    free(text);
}

static void check_text(reference *r, size_t len, const lfm2_stream_step *step)
{
    fuzz_must(step->finish == r->finish && step->n_generated == r->n_generated);
    fuzz_must(step->len == len && memcmp(step->text, r->text, len) == 0);
    fuzz_must(step->text[len] == '\0');
    memcpy(r->shown + r->n_shown, r->text, len);
    r->n_shown += len;
    memmove(r->text, r->text + len, r->len - len);
    r->len -= len;
}

/* The step that appended a token. */
static void check_step(reference *r, const lfm2_stream_step *step)
{
    const lfm2_stream_options *o = r->options;
    bool end = (o->flags & LFM2_STREAM_IGNORE_EOS) == 0 && lfm2_token_is_end(model, step->id) != 0;
    fuzz_must(lfm2_sampler_accept(r->sampler, step->id) == LFM2_OK);
    if (end || (o->n_stop_ids > 0 && o->stop_ids[0] == step->id)) {
        r->finish = LFM2_FINISH_STOP_TOKEN;
        check_text(r, 0, step);
        return;
    }
    r->n_generated++;
    const char *text = NULL;
    size_t len = 0;
    fuzz_must(lfm2_decoder_push(r->decoder, step->id, &text, &len) == LFM2_OK);
    memcpy(r->text + r->len, text, len);
    size_t before = r->len;
    r->len += len;
    lf_stop_match match = {0};
    if (lft_find_stop(o->stop_strings, o->n_stop_strings, r->text, before, r->len, &match)) {
        fuzz_must(step->stop_string == (int32_t)match.string);
        r->finish = LFM2_FINISH_STOP_STRING;
        r->len = match.at;
        check_text(r, match.at, step);
        return;
    }
    fuzz_must(step->stop_string == -1);
    r->finish =
        o->max_tokens != 0 && r->n_generated >= o->max_tokens ? LFM2_FINISH_LENGTH : r->finish;
    size_t held = lft_held_back(o->stop_strings, o->n_stop_strings, r->text, r->len);
    check_text(r, r->len - held, step);
}

static void check_flush(reference *r, lfm2_stream *stream)
{
    lfm2_stream_step step = {.size = sizeof step};
    fuzz_must(lfm2_stream_flush(stream, &step) == LFM2_OK && step.id == -1);
    const char *text = NULL;
    size_t len = 0;
    fuzz_must(lfm2_decoder_flush(r->decoder, &text, &len) == LFM2_OK);
    if (r->finish != LFM2_FINISH_STOP_STRING) {
        memcpy(r->text + r->len, text, len);
        r->len += len;
    }
    check_text(r, r->len, &step);
    if (r->parser != NULL) {
        check_source(r);
        fuzz_must(lfm2_chat_parser_finish(r->parser) == LFM2_E_STATE);
        fuzz_must(lfm2_chat_parser_reset(r->parser) == LFM2_OK);
    }
    r->n_shown = 0;
    r->finish = 0;
    r->n_generated = 0;
}

/* ---- Operations ---- */

static int32_t hook(void *user, float *values, size_t n)
{
    (void)user;
    for (size_t i = 0; i < n; i++) {
        values[i] = i % 3 == 0 ? -INFINITY : i % 3 == 1 ? values[i] : -values[i];
    }
    return 0;
}

static void sample(reference *r, lfm2_stream *stream, uint8_t seed, bool hooked)
{
    uint64_t random = seed;
    for (uint32_t i = 0; i < n_vocab; i++) {
        logits[i] = (float)random_below(&random, 1000) / 100.0f;
        if (random_below(&random, 4) == 0) {
            logits[i] = seed % 2 == 0 ? -INFINITY : NAN;
        }
    }
    memcpy(changed, logits, n_vocab * sizeof *logits);
    if (hooked) {
        hook(NULL, changed, n_vocab);
    }
    int32_t id = -1;
    lfm2_stream_step step = {.size = sizeof step};
    fuzz_must(lfm2_sampler_sample(r->sampler, changed, n_vocab, &id) == LFM2_OK);
    fuzz_must(lfm2_stream_sample(stream, logits, n_vocab, &step) == LFM2_OK && step.id == id);
    check_step(r, &step);
}

static void force(reference *r, lfm2_stream *stream, int32_t id)
{
    lfm2_stream_step step = {.size = sizeof step};
    fuzz_must(lfm2_stream_force(stream, id, logits, n_vocab, &step) == LFM2_OK && step.id == id);
    check_step(r, &step);
}

/* Operations until the input ends. Returns the stream, or the clone that replaced it. */
static lfm2_stream *operate(input *in, reference *r, lfm2_stream *stream)
{
    bool hooked = false;
    while (in->left > 0) {
        if (r->finish != 0) {
            lfm2_stream_step step = {.size = sizeof step};
            fuzz_must(lfm2_stream_force(stream, 0, NULL, 0, &step) == LFM2_E_STATE);
            check_flush(r, stream);
        }
        uint8_t byte = take(in);
        if (byte != SEPARATOR) {
            force(r, stream, byte_ids[byte]);
            continue;
        }
        uint8_t operation = take(in) % 6;
        if (operation == 0) {
            check_flush(r, stream);
        } else if (operation == 1) {
            lfm2_stream *clone = NULL;
            fuzz_must(lfm2_stream_clone(stream, &clone) == LFM2_OK);
            lfm2_stream_free(stream);
            stream = clone;
            lfm2_chat_parser_free(r->parser);
            r->parser = NULL;
        } else if (operation == 2) {
            sample(r, stream, take(in), hooked);
        } else if (operation == 3) {
            uint32_t high = take(in);
            force(r, stream, (int32_t)((high << 8 | take(in)) % n_vocab));
        } else if (operation == 4) {
            hooked = !hooked;
            fuzz_must(lfm2_stream_set_hook(stream, hooked ? hook : NULL, NULL) == LFM2_OK);
        } else {
            int32_t id = take(in) % (int32_t)n_vocab;
            fuzz_must(lfm2_stream_prompt(stream, &id, 1) == LFM2_OK);
            fuzz_must(lfm2_sampler_accept(r->sampler, id) == LFM2_OK);
        }
    }
    return stream;
}

static lfm2_sampler *make_sampler(uint8_t choice)
{
    lfm2_sampler_options o;
    lfm2_sampler_options_init(&o, sizeof o, NULL);
    o.temperature = choice % 2 == 0 ? 1.0f : 0.0f;
    o.penalty_last_n = choice % 4 == 3 ? 5 : -1;
    o.seed = choice;
    lfm2_sampler *sampler = NULL;
    fuzz_must(lfm2_sampler_create(model, &o, &sampler) == LFM2_OK);
    return sampler;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const syntax[] = {"generate.stop", NULL};
    if (model == NULL) {
        set_up();
    }
    input in = {data, size};
    uint8_t choice = take(&in);
    lfm2_stream_options o;
    lfm2_stream_options_init(&o, sizeof o);
    o.flags = choice % 8;
    o.n_top = choice / 8 % 4;
    o.stop_ids = &byte_ids[7];
    o.n_stop_ids = choice / 32 % 2;
    o.max_tokens = take(&in) % 64;
    stop_list stops;
    read_stops(&in, take(&in) % (MAX_STOPS + 1), &stops);
    o.stop_strings = stops.strings;
    o.n_stop_strings = stops.n;
    fuzz_memory_begin(size);
    reference r = {.options = &o, .sampler = make_sampler(choice)};
    lfm2_sampler *sampler = make_sampler(choice);
    lfm2_stream *stream = NULL;
    fuzz_must(lfm2_chat_parser_create(model, NULL, &r.parser) == LFM2_OK);
    o.parser = r.parser;
    int32_t status = lfm2_stream_create(model, sampler, &o, &stream);
    lfm2_sampler_free(sampler);
    fuzz_count(status, syntax);
    fuzz_must(status == LFM2_OK || status == LFM2_E_ARGUMENT);
    if (status == LFM2_OK) {
        uint32_t special = (o.flags & LFM2_STREAM_SPECIAL) != 0 ? LFM2_DETOKENIZE_SPECIAL : 0;
        fuzz_must(lfm2_decoder_create(model, special, &r.decoder) == LFM2_OK);
        r.text = malloc((size + 1) * 512);
        fuzz_must(r.text != NULL);
        r.shown = r.text + (size + 1) * 256;
        stream = operate(&in, &r, stream);
        check_flush(&r, stream);
        free(r.text);
    }
    lfm2_stream_free(stream);
    lfm2_chat_parser_free(r.parser);
    lfm2_decoder_free(r.decoder);
    lfm2_sampler_free(r.sampler);
    fuzz_memory_end();
    return 0;
}
