/* SPDX-License-Identifier: Apache-2.0 */
/* Implements dictated generation. */
#include "support/dictation.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <string.h>

const int32_t lft_prompt[] = {1, 300, 301, 302};

static int32_t current(const lft_dictation *d)
{
    return d->ids[d->at < d->n ? d->at : d->n - 1];
}

static int32_t listen(void *user, const lfm2_generated_token *token)
{
    lft_dictation *d = user;
    assert_int_equal(token->size, sizeof *token);
    assert_true(d->len + token->len < LFT_MAX_TEXT && d->calls < LFT_MAX_CALLS);
    assert_int_equal(token->text[token->len], '\0');
    memcpy(d->text + d->len, token->text, token->len);
    d->len += token->len;
    d->text[d->len] = '\0';
    d->text_end[d->calls] = d->len;
    d->token_id[d->calls] = token->id;
    d->calls++;
    if (token->id >= 0) {
        assert_int_equal(token->id, current(d));
        assert_true(token->logprob <= 0);
        d->at++;
        d->sampler->bias_ids[0] = current(d);
    }
    if (d->calls == d->cancel_at) {
        lfm2_session_cancel(d->session);
    }
    return d->calls == d->stop_at ? 5 : 0;
}

lft_dictation lft_dictation_begin(lfm2_model *model, const int32_t *ids, size_t n)
{
    lft_dictation d = {.ids = ids, .n = n};
    static const int32_t bias_id = 0;
    static const float bias_value = 1e30f;
    lfm2_sampler_options o;
    lfm2_sampler_options_init(&o, sizeof o, NULL);
    o.temperature = 0;
    o.repetition_penalty = 1;
    o.bias_ids = &bias_id;
    o.bias_values = &bias_value;
    o.n_bias = 1;
    LFT_OK(lfm2_sampler_create(model, &o, &d.sampler));
    d.session = lft_session(model, LFT_N_CTX, 0, LFM2_KV_F16);
    lfm2_generate_options_init(&d.options, sizeof d.options);
    d.options.callback = listen;
    d.options.max_tokens = (uint32_t)n;
    d.result.size = sizeof d.result;
    return d;
}

void lft_dictation_end(lft_dictation *d)
{
    lfm2_sampler_free(d->sampler);
    lfm2_session_free(d->session);
}

int32_t lft_dictate(lft_dictation *d, const int32_t *prompt, size_t n_prompt)
{
    d->options.callback_user = d;
    d->calls = 0;
    d->len = 0;
    d->at = 0;
    d->sampler->bias_ids[0] = current(d);
    return lfm2_generate(d->session, d->sampler, prompt, n_prompt, &d->options, &d->result);
}

int32_t lft_byte_token(const lfm2_model *model, uint8_t byte)
{
    static const lfm2_model *searched;
    static int32_t table[256];
    if (searched != model) {
        memset(table, 0, sizeof table);
        searched = model;
        for (int32_t id = 0; id < (int32_t)lft_vocab(model); id++) {
            const char *bytes = NULL;
            size_t len = 0;
            int32_t kind = 0;
            LFT_OK(lfm2_token_get(model, id, &bytes, &len, &kind));
            if (len == 1 && kind == LFM2_TOKEN_NORMAL) {
                table[(uint8_t)bytes[0]] = id;
            }
        }
    }
    assert_true(table[byte] != 0);
    return table[byte];
}

size_t lft_spell(const lfm2_model *model, const char *text, int32_t *ids)
{
    size_t n = strlen(text);
    for (size_t i = 0; i < n; i++) {
        ids[i] = lft_byte_token(model, (uint8_t)text[i]);
    }
    return n;
}
