/* SPDX-License-Identifier: Apache-2.0 */
/* lfm2 eval: measures the accuracy of answers to the chats of a file. */
#include "cli/commands.h"
#include "cli/eval/eval_score.h"
#include "cli/options/compat_options.h"
#include "cli/options/model_options.h"
#include "cli/options/sampler_options.h"
#include "cli/options/session_options.h"
#include "cli/support/answer_record.h"
#include "cli/support/interrupt.h"
#include "cli/support/messages.h"
#include "cli/support/progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct eval_options {
    model_options model;
    session_options session;
    template_options chat_template;
    uint32_t n_predict, limit;
    double min;
    bool constrain, show, json;
} eval_options;

static const opt_spec specs[] = {
    {.type = OPT_REAL,
     .name = "min",
     .arg = "PCT",
     .help = "exit with code 1 if the total accuracy is below PCT percent",
     .offset = offsetof(eval_options, min),
     .max = 100},
    {.type = OPT_U32,
     .name = "limit",
     .arg = "N",
     .help = "use the first N chats of each skill only; 0 = all",
     .default_text = "0",
     .offset = offsetof(eval_options, limit),
     .max = INT32_MAX},
    {.type = OPT_U32,
     .letter = 'n',
     .name = "predict",
     .aliases = "--n-predict --max-tokens",
     .arg = "N",
     .help = "maximum number of tokens in an answer",
     .default_text = "256",
     .offset = offsetof(eval_options, n_predict),
     .min = 1,
     .max = INT32_MAX,
     .specials = predict_specials},
    {.type = OPT_FLAG,
     .name = "constrain",
     .help = "constrain the answers: to JSON of the \"schema\", and calls to the tools, with the "
             "\"tool_choice\" of the line (auto)",
     .offset = offsetof(eval_options, constrain)},
    {.type = OPT_FLAG,
     .name = "show",
     .help = "print every wrong answer",
     .offset = offsetof(eval_options, show)},
    {.type = OPT_FLAG,
     .name = "json",
     .help = "print one JSON object",
     .offset = offsetof(eval_options, json)},
    {.type = OPT_END},
};

static const opt_group groups[] = {
    {"Evaluation", specs, 0, NULL},          TEMPLATE_GROUP(eval_options, chat_template),
    SESSION_GROUPS(eval_options, session),   MODEL_GROUPS(eval_options, model),
    MODEL_MERGES_GROUP(eval_options, model), COMPAT_GROUP,
};

enum { MAX_SKILLS = 256 };

/* One line of the file: a chat and the answer that is expected. Values are in eval's arena. */
typedef struct eval_chat {
    const lf_json *skill;       /* NULL = none */
    const lf_json *tool_choice; /* NULL = none */
    expectation expected;
    const lf_json *question; /* content of the last message; NULL = none */
    text_buffer tools;       /* JSON text; empty = none */
    text_buffer messages;    /* JSON text */
} eval_chat;

typedef struct skill_sum {
    char name[48];
    uint32_t n, right;
} skill_sum;

typedef struct eval {
    const eval_options *opts;
    const char *path;
    chat_format format;
    lfm2_session *session;
    lfm2_sampler *sampler;
    lf_alloc alloc;
    lf_arena arena; /* of the current line */
    char name[512]; /* of the current line, in messages */
    eval_chat chat;
    answer_record record;
    const char *answer; /* the content of the answer, in record */
    size_t answer_len;
    int code; /* of a callback */
    progress bar;
    skill_sum skills[MAX_SKILLS];
    uint32_t n_skills;
    uint32_t n_shown;
} eval;

/* ---- Reading -------------------------------------------------------------------------------- */

/* Reports an error in the line. */
static int fail_line(const eval *e, const lf_json *at, const char *problem)
{
    return fail("cli.eval.format", "%s: offset %llu: %s", e->name, (unsigned long long)at->offset,
                problem);
}

/* Finds a member that is a string. *out is NULL if there is none. */
static int read_string(const eval *e, const lf_json *object, const char *key, const lf_json **out)
{
    *out = lf_json_get(object, key);
    return *out == NULL || (*out)->kind == LF_JSON_STRING
               ? EXIT_OK
               : fail_line(e, *out, "a string is expected");
}

/* Unknown members are ignored. */
static int read_members(eval *e, const lf_json *object)
{
    eval_chat *chat = &e->chat;
    if (object->kind != LF_JSON_OBJECT) {
        return fail_line(e, object, "an object is expected");
    }
    int code = read_string(e, object, "skill", &chat->skill);
    if (code == EXIT_OK) {
        code = read_string(e, object, "tool_choice", &chat->tool_choice);
    }
    chat->expected = (expectation){.text = lf_json_get(object, "expected"),
                                   .calls = lf_json_get(object, "expected_calls"),
                                   .schema = lf_json_get(object, "schema")};
    const char *problem = expectation_problem(&chat->expected);
    if (code == EXIT_OK && problem != NULL) {
        code = fail_line(e, object, problem);
    }
    if (code == EXIT_OK) {
        code = messages_of_json(e->name, object, &chat->messages, &chat->tools);
    }
    if (code == EXIT_OK) {
        const lf_json *last = lf_json_get(object, "messages")->child;
        while (last->next != NULL) {
            last = last->next;
        }
        chat->question = lf_json_get(last, "content");
    }
    return code;
}

/* Reads e->chat from one line. */
static int read_chat(eval *e, const char *line, size_t len, size_t number)
{
    snprintf(e->name, sizeof e->name, "%s: line %zu", e->path, number);
    lf_arena_free(&e->arena);
    lf_arena_init(&e->arena, &e->alloc);
    e->chat.messages.len = 0;
    e->chat.tools.len = 0;
    const lf_json *object = NULL;
    int32_t status = lf_json_parse(&e->arena, e->name, LFM2_E_FORMAT, line, len, &object);
    if (status != LFM2_OK) {
        return fail(status == LFM2_E_MEMORY ? "cli.memory" : "cli.eval.format", "%s",
                    lf_fail_text());
    }
    return read_members(e, object);
}

/* ---- Measuring ------------------------------------------------------------------------------ */

static skill_sum *find_skill(eval *e)
{
    char name[sizeof e->skills[0].name];
    const lf_json *skill = e->chat.skill;
    size_t len = skill != NULL ? skill->len : 0;
    memset(name, 0, sizeof name);
    if (len > 0) {
        memcpy(name, skill->text, len < sizeof name ? len : sizeof name - 1);
    }
    for (uint32_t i = 0; i < e->n_skills; i++) {
        if (strcmp(e->skills[i].name, name) == 0) {
            return &e->skills[i];
        }
    }
    if (e->n_skills == MAX_SKILLS) {
        return NULL;
    }
    memcpy(e->skills[e->n_skills].name, name, sizeof name);
    return &e->skills[e->n_skills++];
}

static int32_t on_text(void *user, answer_channel channel, const char *text, size_t len)
{
    eval *e = user;
    e->code = answer_record_text(&e->record, channel, text, len);
    return e->code == EXIT_OK ? 0 : 1;
}

/* Generates the answer to e->chat and compares it with the expected one. */
static int generate(eval *e, const id_list *ids, const open_reasoning *open, bool *right)
{
    const eval_chat *chat = &e->chat;
    const char *choice = chat->tool_choice != NULL ? chat->tool_choice->text : NULL;
    answer a = {.format = &e->format,
                .session = e->session,
                .sampler = e->sampler,
                .budget = REASONING_NO_BUDGET,
                .open = *open,
                .on_text = on_text,
                .user = e};
    lfm2_generate_options_init(&a.options, sizeof a.options);
    a.options.max_tokens = e->opts->n_predict;
    a.options.flags = LFM2_GENERATE_SPECIAL;
    answer_record_free(&e->record);
    lfm2_sampler_reset(e->sampler);
    int code = lfm2_session_reset(e->session) == LFM2_OK ? EXIT_OK : fail_library();
    if (code == EXIT_OK && e->opts->constrain) {
        code = expectation_constrain(e->format.model, &chat->expected, &chat->tools, choice, &a);
    }
    if (code == EXIT_OK) {
        code = answer_generate(&a, ids);
    }
    if (code == EXIT_OK && (a.result.finish == LFM2_FINISH_CANCELLED || interrupt_seen())) {
        code = interrupt_code(LFM2_E_CANCELLED);
    }
    code = code == EXIT_OK ? e->code : code;
    answer_record_content(&e->record, a.reasoned, &e->answer, &e->answer_len);
    if (code == EXIT_OK) {
        code = expectation_compare(e->format.model, &chat->expected, &a, e->answer, e->answer_len,
                                   right);
    }
    answer_free(&a);
    return code;
}

static int show_wrong(const eval *e)
{
    const eval_chat *chat = &e->chat;
    text_buffer question = {0};
    int code = chat->question != NULL ? json_append(&question, chat->question)
                                      : text_append(&question, "null", 4);
    if (code == EXIT_OK) {
        out_name(chat->skill != NULL ? chat->skill->text : "");
        out_printf(": ");
        out_write(question.data, question.len);
        out_printf("\n  expected ");
        code = expectation_print(&chat->expected);
        out_printf("\n  answer   ");
        json_string(e->answer, e->answer_len);
        out_printf("\n");
    }
    text_free(&question);
    return code;
}

/* Asks the question of e->chat. */
static int ask(eval *e, skill_sum *skill)
{
    const eval_chat *chat = &e->chat;
    id_list ids = {0};
    open_reasoning open = {.len = 0};
    int code = EXIT_OK;
    if (chat_format_ids(&e->format, &chat->messages, LFM2_CHAT_GENERATION_PROMPT, &ids) !=
        LFM2_OK) {
        code = fail(lfm2_last_error_code(), "%s: %s", e->name, lfm2_last_error());
    }
    if (code == EXIT_OK) {
        code = chat_format_find_open(&e->format, &ids, &open);
    }
    bool right = false;
    if (code == EXIT_OK) {
        code = generate(e, &ids, &open, &right);
    }
    if (code == EXIT_OK) {
        skill->n++;
        skill->right += right;
        code = !right && e->opts->show ? show_wrong(e) : EXIT_OK;
    }
    ids_free(&ids);
    return code;
}

/* Reads a line and asks its question. */
static int measure_line(void *user, const char *line, size_t len, size_t number, double done)
{
    eval *e = user;
    int code = read_chat(e, line, len, number);
    skill_sum *skill = code == EXIT_OK ? find_skill(e) : NULL;
    if (code == EXIT_OK && skill == NULL) {
        code = fail("cli.eval.format", "%s: has more than %d skills", e->path, MAX_SKILLS);
    }
    if (code == EXIT_OK && (e->opts->limit == 0 || skill->n < e->opts->limit)) {
        code = ask(e, skill);
    }
    progress_update(&e->bar, done);
    return code;
}

static int measure(eval *e, const text_buffer *file)
{
    progress_begin(&e->bar, "evaluating");
    int code = for_each_line(file, measure_line, e);
    progress_end(&e->bar);
    return code;
}

/* ---- Result --------------------------------------------------------------------------------- */

static double percent(uint32_t right, uint32_t n)
{
    return n > 0 ? 100.0 * right / n : 0;
}

static void print(const eval *e, uint32_t n, uint32_t right)
{
    bool json = e->opts->json;
    out_printf("%s", json ? "{\"skills\":{" : "");
    for (uint32_t i = 0; i < e->n_skills; i++) {
        const skill_sum *s = &e->skills[i];
        if (json) {
            out_printf("%s", i > 0 ? "," : "");
            json_string(s->name, strlen(s->name));
            out_printf(":{\"n\":%u,\"right\":%u}", s->n, s->right);
        } else {
            out_printf("%-20s %5u of %5u  %6.2f %%\n", s->name, s->right, s->n,
                       percent(s->right, s->n));
        }
    }
    if (json) {
        out_printf("},\"n\":%u,\"right\":%u,\"percent\":", n, right);
        json_number(percent(right, n));
        out_printf("}\n");
    } else {
        out_printf("%-20s %5u of %5u  %6.2f %%\n", "total", right, n, percent(right, n));
    }
}

/* Prints the accuracy. Fails if it is below --min. */
static int report(const eval *e)
{
    uint32_t n = 0;
    uint32_t right = 0;
    for (uint32_t i = 0; i < e->n_skills; i++) {
        n += e->skills[i].n;
        right += e->skills[i].right;
    }
    if (n == 0) {
        return fail("cli.eval.empty", "%s: the file contains no chats", e->path);
    }
    print(e, n, right);
    return percent(right, n) < e->opts->min
               ? fail("cli.eval.min", "accuracy %.2f %% is below %g %%", percent(right, n),
                      e->opts->min)
               : EXIT_OK;
}

static void free_eval(eval *e)
{
    lf_arena_free(&e->arena);
    text_free(&e->chat.tools);
    text_free(&e->chat.messages);
    chat_format_close(&e->format);
    answer_record_free(&e->record);
    lfm2_sampler_free(e->sampler);
    lfm2_session_free(e->session);
    free(e);
}

static int evaluate(const eval_options *opts, const open_model *opened, const char *path,
                    const text_buffer *file)
{
    /* Greedy sampling without penalties. */
    const sampler_options greedy = {.top_p = 1, .repeat_penalty = 1, .repeat_last_n = -1};
    eval *e = calloc(1, sizeof *e);
    if (e == NULL) {
        return fail("cli.memory", "out of memory");
    }
    e->opts = opts;
    e->path = path;
    e->alloc = lf_alloc_default();
    lf_arena_init(&e->arena, &e->alloc);
    int code = chat_format_open(&opts->chat_template, &e->chat.tools, opened, opts->model.verbose,
                                &e->format);
    if (code == EXIT_OK) {
        code = session_open(&opts->session, opened->model, &e->session);
    }
    if (code == EXIT_OK) {
        code = sampler_open(&greedy, opened->model, &e->sampler);
    }
    if (code == EXIT_OK) {
        interrupt_begin(e->session);
        code = measure(e, file);
        interrupt_end();
    }
    if (code == EXIT_OK) {
        code = report(e);
    }
    free_eval(e);
    return code;
}

static int run(const command *self, int argc, char **argv)
{
    eval_options opts = {.n_predict = 256};
    opt_args args = {.n = 0};
    int code = options_parse(self, argc, argv, &opts, &args);
    if (code != PARSED) {
        return code;
    }
    if (opts.show && opts.json) {
        return fail_usage(self->name, "--show and --json cannot be combined");
    }
    text_buffer file = {0};
    open_model opened = {0};
    code = text_read(args.items[0], &file);
    if (code == EXIT_OK) {
        code = model_open(&opts.model, LFM2_LOAD_FULL, &opened);
    }
    if (code == EXIT_OK) {
        code = evaluate(&opts, &opened, args.items[0], &file);
    }
    text_free(&file);
    model_close(&opened);
    return code;
}

const command cmd_eval = {
    .name = "eval",
    .summary = "Measure the accuracy of answers to a file of chats.",
    .synopsis = "FILE [-m PATH] [OPTION]...",
    .details =
        "Each line of FILE is a JSON object: \"skill\" (a category), \"messages\" (in OpenAI's "
        "format), optionally \"tools\" (an array), and what is expected. Sampling is greedy, "
        "without penalties; reasoning is not part of the answer.\n\n"
        "\"expected\": an answer is right if it equals this string byte for byte; control tokens "
        "are compared as text.\n"
        "\"expected_calls\": if it has these tool calls, in any order, and no others. Each is "
        "{\"name\": \"f\", \"arguments\": {\"x\": [1, 2]}} with the accepted values of each "
        "argument; \"\" among them says that the argument may be left out.\n"
        "\"schema\": if it is JSON that is valid under this schema.",
    .groups = groups,
    .n_groups = COUNT(groups),
    .min_args = 1,
    .max_args = 1,
    .run = run,
};
