/* SPDX-License-Identifier: Apache-2.0 */
/* The routes of Anthropic's Messages. */
#include "serve/messages.h"

#include "serve/reply.h"
#include "serve/routes.h"

#include "lfm2.h"

void message_free(message *m)
{
    talk_free(&m->talk);
    tool_list_free(&m->tools);
    json_out_free(&m->blocks);
    json_out_free(&m->text);
    json_out_free(&m->event);
}

static message *new_message(api *a, exchange *x)
{
    void *memory;
    if (lf_arena_new(x->arena, 1, sizeof(message), "a message", &memory) != LFM2_OK) {
        reply_failure_text(x, LFM2_E_MEMORY, NULL, "", "out of memory");
        return NULL;
    }
    message *m = memory;
    *m = (message){.a = a, .x = x, .stop_string = -1};
    job_request_init(a, x, &m->job);
    talk_init(&m->talk);
    tool_list_init(&m->tools);
    return m;
}

void handle_messages(api *a, exchange *x, const char *argument)
{
    (void)argument;
    message *m = new_message(a, x);
    if (m != NULL && (!message_read(m, false) || !job_start(a, x, &m->job, &message_calls, m))) {
        message_free(m);
    }
}

void handle_count_tokens(api *a, exchange *x, const char *argument)
{
    (void)argument;
    uint32_t n = 0;
    message *m = new_message(a, x);
    if (m == NULL) {
        return;
    }
    bool counted = message_read(m, true) && job_count(a, x, &m->job, &n);
    message_free(m);
    if (counted) {
        json_out out = {0};
        out_object(&out, NULL);
        out_u64(&out, "input_tokens", n);
        out_end_object(&out);
        reply_json(x, 200, &out);
        json_out_free(&out);
    }
}
