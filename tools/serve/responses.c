/* SPDX-License-Identifier: Apache-2.0 */
/* The routes of OpenAI's Responses. */
#include "serve/responses.h"

#include "serve/reply.h"
#include "serve/routes.h"
#include "serve/state.h"

#include "lfm2.h"

#include <string.h>

void response_free(response *r)
{
    talk_free(&r->talk);
    tool_list_free(&r->tools);
    json_out_free(&r->items);
    json_out_free(&r->text);
    json_out_free(&r->arguments);
    json_out_free(&r->event);
}

void handle_responses(api *a, exchange *x, const char *argument)
{
    (void)argument;
    void *memory;
    if (lf_arena_new(x->arena, 1, sizeof(response), "a response", &memory) != LFM2_OK) {
        reply_failure_text(x, LFM2_E_MEMORY, NULL, "", "out of memory");
        return;
    }
    response *r = memory;
    *r = (response){.a = a, .x = x, .status = "in_progress"};
    job_request_init(a, x, &r->job);
    talk_init(&r->talk);
    tool_list_init(&r->tools);
    if (!response_read(r) || !job_start(a, x, &r->job, &response_calls, r)) {
        response_free(r);
    }
}

static void reply_unknown(exchange *x, const char *id)
{
    reply_error(x, 404, "invalid_request_error", "response_id", "response_not_found",
                "There is no response '%.100s'; it was not stored, or is no longer", id);
}

void handle_response(api *a, exchange *x, const char *argument)
{
    const stored_response *stored = response_store_find(&a->responses, argument, x->owner);
    if (stored == NULL) {
        reply_unknown(x, argument);
        return;
    }
    reply_body(x, 200, "application/json", stored->json, stored->json_len);
}

void handle_response_delete(api *a, exchange *x, const char *argument)
{
    if (!response_store_remove(&a->responses, argument, x->owner)) {
        reply_unknown(x, argument);
        return;
    }
    json_out out = {0};
    out_object(&out, NULL);
    out_string(&out, "id", argument);
    out_string(&out, "object", "response");
    out_bool(&out, "deleted", true);
    out_end_object(&out);
    reply_json(x, 200, &out);
    json_out_free(&out);
}
