/* SPDX-License-Identifier: Apache-2.0 */
/* What commands report about an answer: why it ended, how long it took. */
#include "cli/support/answer_report.h"

#include <inttypes.h>

const char *finish_name(int32_t finish)
{
    switch (finish) {
    case LFM2_FINISH_LENGTH:
        return "length";
    case LFM2_FINISH_STOP_TOKEN:
        return "stop_token";
    case LFM2_FINISH_STOP_STRING:
        return "stop_string";
    case LFM2_FINISH_CONTEXT:
        return "context";
    case LFM2_FINISH_CALLBACK:
        return "callback";
    case LFM2_FINISH_CANCELLED:
        return "cancelled";
    default:
        return "?";
    }
}

const char *context_advice(const lfm2_model *model, const lfm2_session *session)
{
    lfm2_model_info info = {.size = sizeof info};
    bool largest = lfm2_model_get_info(model, &info) == LFM2_OK &&
                   lfm2_session_capacity(session) >= info.n_ctx_train;
    return largest ? "the model allows no larger one" : "-c N sets its size";
}

void notice_finish(const lfm2_generate_result *result, const lfm2_model *model,
                   const lfm2_session *session, const char *remedy)
{
    switch (result->finish) {
    case LFM2_FINISH_LENGTH:
        notice("stopped at the limit of %u token%s: -n N sets it", result->n_generated,
               plural(result->n_generated));
        break;
    case LFM2_FINISH_CONTEXT:
        notice("stopped: the context of %u tokens is full: %s%s", lfm2_session_capacity(session),
               context_advice(model, session), remedy);
        break;
    case LFM2_FINISH_CANCELLED:
        notice("stopped: interrupted");
        break;
    default:
        break;
    }
}

static double rate(uint32_t n, double seconds)
{
    return seconds > 0 ? n / seconds : 0;
}

const char *answer_tokens(const lfm2_generate_result *result, uint32_t n_reasoning,
                          const char *colon, char *out, size_t size)
{
    uint32_t n_answer = result->n_generated - n_reasoning;
    size_t used = 0;
    out[0] = 0;
    if (n_reasoning > 0) {
        used = append_format(out, size, used, "reasoning%s %u token%s, ", colon, n_reasoning,
                             plural(n_reasoning));
    }
    append_format(out, size, used, "answer%s %u token%s", colon, n_answer, plural(n_answer));
    return out;
}

void notice_timing(const lfm2_generate_result *r, uint32_t n_reasoning, uint64_t seed)
{
    /* prompt_seconds includes the choice of the first token. */
    uint32_t n_timed = r->n_generated > 0 ? r->n_generated - 1 : 0;
    char tokens[96];
    notice("prompt: %u token%s in %.3f s (%.1f tokens/s); %s in %.3f s (%.1f tokens/s), ended by "
           "%s; seed %" PRIu64,
           r->n_prompt, plural(r->n_prompt), r->prompt_seconds,
           rate(r->n_prompt, r->prompt_seconds),
           answer_tokens(r, n_reasoning, ":", tokens, sizeof tokens), r->generate_seconds,
           rate(n_timed, r->generate_seconds), finish_name(r->finish), seed);
    if (r->n_drafted > 0) {
        notice("drafts: %u token%s computed, %u of them chosen", r->n_drafted, plural(r->n_drafted),
               r->n_accepted);
    }
}
