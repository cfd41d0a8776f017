/* SPDX-License-Identifier: Apache-2.0 */
/* Generates an answer: divides it into reasoning and content, and limits the reasoning. */
#ifndef LFM2_CLI_ANSWER_H
#define LFM2_CLI_ANSWER_H

#include "cli/support/chat_format.h"
#include "cli/support/constraint_open.h"
#include "cli/support/reasoning.h"

typedef struct answer {
    /* ---- What to generate: set by the caller ---- */
    const chat_format *format; /* NULL: all text is content */
    lfm2_session *session;
    lfm2_sampler *sampler;
    lfm2_generate_options options; /* without callback; draft_ids are of the whole answer */
    /* Of answer_constrain. The second is that of the text that follows when the budget is spent. */
    lfm2_constraint *constraint, *after_reasoning;
    const char *call_prefix; /* of the ids of calls; NULL: that of the parser */
    int32_t budget;          /* tokens of reasoning; -1 = no limit */
    open_reasoning open;     /* what the prompt opens */
    uint32_t n_reused;       /* tokens of the prompt that the session holds */
    /* Both may be NULL. on_text receives text as it is generated. on_token receives each chosen
     * token before its text. A result other than 0 ends the answer. */
    int32_t (*on_text)(void *user, answer_channel channel, const char *text, size_t len);
    int32_t (*on_token)(void *user, const lfm2_generated_token *token);
    void *user;
    /* ---- The answer ---- */
    lfm2_generate_result result; /* of all calls together */
    uint32_t n_reasoning;        /* tokens of reasoning among result.n_generated */
    bool reasoned;               /* it has reasoning, maybe empty */
    lfm2_chat_parser *parser;    /* with a format: it has parsed the text */
    id_list ids;                 /* its tokens, without the stop token, with those of the end that
                                    the budget adds */
    /* ---- Internal ---- */
    reasoning_splitter splitter;
    char last_byte; /* of the reasoning */
    bool stopped;   /* by on_text or on_token */
    bool over;      /* the budget is spent */
    int code;
} answer;

/* Appends the prompt to the session and generates. Returns an exit code, after a message unless it
 * is EXIT_OK; an answer that a callback or Ctrl-C ended is EXIT_OK. */
int answer_generate(answer *a, const id_list *prompt);

/* Compiles the constraints of the answer, which the caller frees: reasoning may precede the text,
 * or does. If a budget ends the reasoning, what follows is the text alone. */
int answer_constrain(answer *a, lfm2_model *model, const constraint_options *options,
                     const constraint_text *text, const reasoning_options *reasoning);

void answer_free(answer *a);

#endif /* LFM2_CLI_ANSWER_H */
