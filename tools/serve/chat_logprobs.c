/* SPDX-License-Identifier: Apache-2.0 */
/* Log-probabilities of tokens as chat completions write them. All tokens are listed, those of tool
 * calls, too; a token is sent with the first text that follows it. */
#include "serve/chat.h"

static void write_token(json_out *out, const api *a, int32_t id, float logprob)
{
    const char *text = NULL;
    size_t len = 0;
    openai_token(a, id, &text, &len);
    out_text(out, "token", text, len);
    out_number(out, "logprob", openai_logprob(logprob));
    out_array(out, "bytes");
    for (size_t i = 0; i < len; i++) {
        out_u64(out, NULL, (uint8_t)text[i]);
    }
    out_end_array(out);
}

void chat_add_logprob(job *j, chat_choice *c, const lfm2_engine_event *e)
{
    if (!j->request->logprobs || e->id < 0) {
        return;
    }
    json_out *out = &c->logprobs;
    out_object(out, NULL);
    write_token(out, j->a, e->id, e->logprob);
    out_array(out, "top_logprobs");
    for (uint32_t i = 0; i < e->n_top; i++) {
        out_object(out, NULL);
        write_token(out, j->a, e->top_ids[i], e->top_logprobs[i]);
        out_end_object(out);
    }
    if (e->n_top == 0 && j->request->n_top > 0) { /* the constraint left no choice */
        out_object(out, NULL);
        write_token(out, j->a, e->id, e->logprob);
        out_end_object(out);
    }
    out_end_array(out);
    out_end_object(out);
}

void chat_write_logprobs(json_out *out, job *j, chat_choice *c)
{
    if (!j->request->logprobs) {
        out_null(out, "logprobs");
        return;
    }
    out_object(out, "logprobs");
    out_array(out, "content");
    if (c->logprobs.len > 0) {
        out_json(out, NULL, c->logprobs.text, c->logprobs.len);
    }
    out_end_array(out);
    out_null(out, "refusal");
    out_end_object(out);
    out->failed |= c->logprobs.failed;
    json_out_clear(&c->logprobs);
}
