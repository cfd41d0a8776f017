/* SPDX-License-Identifier: Apache-2.0 */
/* Tries whether a constraint allows a text, token by token. */
#include "cli/constrain/constrain.h"

#include "common/utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

const char *trial_name(trial_verdict verdict)
{
    static const char *const names[] = {"accept", "reject", "refused"};
    return names[verdict];
}

double cpu_microseconds(void)
{
    struct timespec now = {0};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec * 1e-3;
}

/* ---- The text of a value ---- */

/* Removes the spaces after ':' and ',' outside strings. */
static void make_compact(text_buffer *text, size_t begin)
{
    size_t out = begin;
    bool string = false;
    for (size_t i = begin; i < text->len; i++) {
        char c = text->data[i];
        if (string && c == '\\') {
            text->data[out++] = c;
            c = text->data[++i];
        } else if (c == '"') {
            string = !string;
        }
        if (c != ' ' || string) {
            text->data[out++] = c;
        }
    }
    text->len = out;
    text->data[out] = '\0';
}

int trial_text(const lf_json *value, int32_t space, text_buffer *out)
{
    size_t begin = out->len;
    int code = json_append(out, value);
    if (code == EXIT_OK && space == LFM2_SPACE_COMPACT) {
        make_compact(out, begin);
    }
    return code;
}

/* ---- The walk ---- */

typedef struct walk {
    lfm2_model *model;
    lfm2_matcher *matcher;
    uint32_t *bits;
    size_t n_words;
    time_list *masks;
    trial *out;
    int code; /* of the program's own failures */
} walk;

/* Notes why the library failed. Returns EXIT_OK if it is a verdict, else an exit code. */
static int note_failure(walk *w, int32_t status, const char *at)
{
    if (w->code != EXIT_OK) {
        return w->code;
    }
    if (status == LFM2_E_LIMIT) {
        w->out->verdict = TRIAL_REFUSED;
        snprintf(w->out->reason, sizeof w->out->reason, "%s (%s)", lfm2_last_error(),
                 lfm2_last_error_code());
        return EXIT_OK;
    }
    if (status == LFM2_E_ARGUMENT) {
        w->out->verdict = TRIAL_REJECT;
        snprintf(w->out->reason, sizeof w->out->reason, "%s", at);
        return EXIT_OK;
    }
    return fail_library();
}

/* Describes where a token does not follow. */
static void describe(const walk *w, const id_list *ids, size_t at, char *out, size_t size)
{
    size_t offset = 0;
    const char *bytes = "";
    size_t len = 0;
    for (size_t i = 0; i < at; i++) {
        lfm2_token_get(w->model, ids->data[i], NULL, &len, NULL);
        offset += len;
    }
    lfm2_token_get(w->model, ids->data[at], &bytes, &len, NULL);
    lf_shown shown;
    snprintf(out, size, "token %zu, byte %zu: '%s' may not follow", at, offset,
             lf_show(&shown, bytes, len));
}

/* Takes a mask and then the token, or with `id` -1 the end. *follows: whether the mask has it. */
static int32_t step(walk *w, int32_t id, double *start, bool *follows)
{
    LF_TRY(lfm2_matcher_mask(w->matcher, w->bits, w->n_words));
    *follows =
        id < 0 ? lfm2_matcher_is_complete(w->matcher) != 0 : (w->bits[id / 32] >> id % 32 & 1) != 0;
    double now = cpu_microseconds();
    w->code = times_add(w->masks, now - *start);
    if (w->code != EXIT_OK) {
        return LFM2_E_MEMORY;
    }
    *start = cpu_microseconds();
    return id < 0 || !*follows ? LFM2_OK : lfm2_matcher_accept(w->matcher, id);
}

/* How many tokens of the text would be forced. */
static int32_t count_forced(walk *w, const id_list *ids)
{
    int32_t forced[256];
    size_t n = 0;
    LF_TRY(lfm2_matcher_reset(w->matcher));
    for (size_t i = 0; i < ids->n;) {
        LF_TRY(lfm2_matcher_forced(w->matcher, forced, 256, &n));
        size_t same = 0;
        while (same < n && i + same < ids->n && forced[same] == ids->data[i + same]) {
            same++;
        }
        w->out->n_forced += same;
        for (size_t k = 0; k < (same > 0 ? same : 1); k++) {
            LF_TRY(lfm2_matcher_accept(w->matcher, ids->data[i++]));
        }
    }
    return LFM2_OK;
}

static int try_tokens(walk *w, const id_list *ids)
{
    char at[256] = "the text ends too early";
    double start = cpu_microseconds();
    for (size_t i = 0; i <= ids->n; i++) {
        bool follows = false;
        int32_t status = step(w, i < ids->n ? ids->data[i] : -1, &start, &follows);
        if (status == LFM2_OK && !follows) {
            status = LFM2_E_ARGUMENT;
        }
        if (status != LFM2_OK) {
            if (i < ids->n) {
                describe(w, ids, i, at, sizeof at);
            }
            return note_failure(w, status, at);
        }
    }
    w->out->verdict = TRIAL_ACCEPT;
    int32_t status = count_forced(w, ids);
    return status == LFM2_OK ? EXIT_OK : note_failure(w, status, "forced tokens do not follow");
}

int trial_run(lfm2_model *model, lfm2_constraint *constraint, const char *text, size_t len,
              uint32_t flags, time_list *masks, trial *out)
{
    lfm2_model_info info = {.size = sizeof info};
    walk w = {.model = model, .masks = masks, .out = out};
    id_list ids = {0};
    *out = (trial){.verdict = TRIAL_REJECT};
    int code = lfm2_model_get_info(model, &info) == LFM2_OK ? EXIT_OK : fail_library();
    code = code == EXIT_OK ? ids_of_text(model, text, len, flags, &ids) : code;
    w.n_words = (info.n_vocab + 31) / 32;
    w.bits = calloc(w.n_words, sizeof *w.bits);
    if (code == EXIT_OK && w.bits == NULL) {
        code = fail("cli.memory", "out of memory");
    }
    if (code == EXIT_OK) {
        int32_t status = lfm2_matcher_create(constraint, &w.matcher);
        out->n_tokens = ids.n;
        code = status == LFM2_OK ? try_tokens(&w, &ids) : note_failure(&w, status, "");
    }
    lfm2_matcher_free(w.matcher);
    free(w.bits);
    ids_free(&ids);
    return code;
}
