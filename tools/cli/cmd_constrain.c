/* SPDX-License-Identifier: Apache-2.0 */
/* lfm2 constrain: says which texts a constraint allows, and how long its masks take. */
#include "cli/commands.h"
#include "cli/constrain/constrain.h"
#include "cli/support/messages.h"
#include "cli/support/model_open.h"

#include <string.h>

static const opt_spec tools_specs[] = {
    {.type = OPT_TEXT,
     .name = "tools",
     .arg = "FILE",
     .help = "file with a JSON array of the tools of --tool-choice",
     .offset = offsetof(constrain_options, tools)},
    {.type = OPT_END},
};

static const opt_spec specs[] = {
    {.type = OPT_TEXT,
     .name = "instances",
     .arg = "FILE",
     .help = "try each line of FILE, a JSON value; with --json-schema it is the text, otherwise a "
             "string with the text; - = standard input",
     .offset = offsetof(constrain_options, instances)},
    {.type = OPT_TEXT,
     .name = "suite",
     .arg = "FILE",
     .help = "try each line of FILE, an object with \"schema\" and \"tests\", a list of objects "
             "with \"data\" and \"valid\" (the format of MaskBench), and print totals; - = "
             "standard input",
     .offset = offsetof(constrain_options, suite)},
    {.type = OPT_FLAG,
     .name = "special",
     .aliases = "-sp",
     .help = "control tokens written in a text are tokens",
     .offset = offsetof(constrain_options, special)},
    {.type = OPT_FLAG,
     .name = "json",
     .help = "print one JSON object",
     .offset = offsetof(constrain_options, json)},
    {.type = OPT_END},
};

static const opt_group groups[] = {
    CONSTRAINT_GROUP(constrain_options, constraint),  {"Constraint", tools_specs, 0, NULL},
    TOOL_CHOICE_GROUP(constrain_options, constraint), {"Texts", specs, 0, NULL},
    MODEL_FILE_GROUP(constrain_options, model),       MODEL_MERGES_GROUP(constrain_options, model),
};

typedef struct instances {
    const constrain_options *opts;
    lfm2_model *model;
    lfm2_constraint *constraint;
    int32_t kind;
    size_t n;
} instances;

/* ---- Output ---- */

static void print_constraint(const constrain_options *opts, const lfm2_constraint *constraint,
                             double compile)
{
    if (opts->json) {
        out_printf("{\"compile_us\":%.1f,\"ignored\":%s,\"instances\":[", compile,
                   lfm2_constraint_ignored(constraint));
    } else {
        out_printf("compiled in %.2f ms\n", compile * 1e-3);
    }
}

static void print_instance(const instances *in, const trial *t, const time_summary *masks)
{
    if (in->opts->json) {
        out_printf("%s{\"verdict\":\"%s\",\"tokens\":%zu,\"forced\":%zu,\"mask_us\":",
                   in->n > 0 ? ",\n" : "", trial_name(t->verdict), t->n_tokens, t->n_forced);
        times_print_json(masks);
        if (t->verdict != TRIAL_ACCEPT) {
            out_printf(",\"reason\":");
            json_string(t->reason, strlen(t->reason));
        }
        out_printf("}");
        return;
    }
    out_printf("%zu: %s", in->n + 1, trial_name(t->verdict));
    if (t->verdict != TRIAL_ACCEPT) {
        out_printf(": %s", t->reason);
    }
    out_printf("; %zu tokens, %zu forced; mask: average %.1f, max %.1f us\n", t->n_tokens,
               t->n_forced, masks->average, masks->most);
}

/* ---- Instances ---- */

/* The first constraint of a model takes longer: it builds what the others share. */
static int prepare(lfm2_model *model)
{
    lfm2_constraint *first = NULL;
    int32_t status = lfm2_constraint_create(model, LFM2_CONSTRAINT_REGEX, "", 0, NULL, &first);
    lfm2_constraint_free(first);
    return status == LFM2_OK ? EXIT_OK : fail_library();
}

/* Makes the text of an instance. */
static int text_of(const instances *in, const lf_json *value, size_t number, text_buffer *text)
{
    int32_t space = in->opts->constraint.space == CONSTRAINT_SPACE_DEFAULT
                        ? LFM2_SPACE_JSON
                        : (int32_t)in->opts->constraint.space;
    if (in->kind == LFM2_CONSTRAINT_JSON_SCHEMA) {
        return order_text(in->constraint, value, space, text);
    }
    if (value->kind != LF_JSON_STRING) {
        return fail("cli.instances", "line %zu: not a JSON string", number);
    }
    return text_append(text, value->text, value->len);
}

static int try_line(void *user, const char *line, size_t len, size_t number, double done)
{
    instances *in = user;
    lf_alloc alloc = lf_alloc_default();
    lf_arena arena;
    const lf_json *value = NULL;
    text_buffer text = {0};
    time_list masks = {0};
    trial t;
    char name[64];
    (void)done;
    append_format(name, sizeof name, 0, "line %zu", number);
    lf_arena_init(&arena, &alloc);
    int code = EXIT_OK;
    if (lf_json_parse(&arena, name, LFM2_E_TEXT, line, len, &value) != LFM2_OK) {
        code = fail("cli.instances", "%s", lf_fail_text());
    }
    code = code == EXIT_OK ? text_of(in, value, number, &text) : code;
    if (code == EXIT_OK) {
        bool special = in->opts->special || in->kind == LFM2_CONSTRAINT_TOOLS;
        uint32_t flags = special ? LFM2_TOKENIZE_SPECIAL : 0U;
        code = trial_run(in->model, in->constraint, text.data == NULL ? "" : text.data, text.len,
                         flags, &masks, &t);
    }
    if (code == EXIT_OK) {
        time_summary summary = times_summarize(&masks);
        print_instance(in, &t, &summary);
        in->n++;
    }
    times_free(&masks);
    text_free(&text);
    lf_arena_free(&arena);
    return code;
}

static int try_instances(const constrain_options *opts, lfm2_model *model,
                         const constraint_text *source)
{
    instances in = {.opts = opts, .model = model, .kind = source->kind};
    text_buffer text = {0};
    int code = EXIT_OK;
    double start = cpu_microseconds();
    code = constraint_open(model, &opts->constraint, source, LFM2_REASONING_NONE, &in.constraint);
    const bool compiled = code == EXIT_OK;
    if (compiled) {
        print_constraint(opts, in.constraint, cpu_microseconds() - start);
    }
    if (compiled && opts->instances != NULL) {
        code = text_read(opts->instances, &text);
        code = code == EXIT_OK ? for_each_line(&text, try_line, &in) : code;
    }
    if (compiled && opts->json) {
        out_printf("]}\n"); /* also after an error: the output is JSON in any case */
    }
    text_free(&text);
    lfm2_constraint_free(in.constraint);
    return code;
}

static int check_options(const command *self, const constrain_options *opts)
{
    bool given = constraint_options_given(&opts->constraint);
    if (opts->suite != NULL && (given || opts->instances != NULL)) {
        return fail_usage(self->name, "--suite has its own schemas and instances");
    }
    if (opts->suite == NULL && !given) {
        return fail_usage(self->name, "give a constraint: --json-schema, --grammar, --regex, "
                                      "--choices or --tool-choice, or a --suite");
    }
    return PARSED;
}

static int run(const command *self, int argc, char **argv)
{
    constrain_options opts = {.instances = NULL};
    opt_args args = {.n = 0};
    constraint_options_init(&opts.constraint);
    int code = options_parse(self, argc, argv, &opts, &args);
    if (code == PARSED) {
        code = model_argument(self, &args, &opts.model);
    }
    if (code == PARSED) {
        code = check_options(self, &opts);
    }
    if (code != PARSED) {
        return code;
    }
    constraint_text source = {0};
    text_buffer tools = {0};
    open_model opened = {0};
    code = constraint_read(&opts.constraint, &source);
    if (code == EXIT_OK) {
        code = messages_read_tools(opts.tools, &tools);
    }
    if (code == EXIT_OK) {
        code = constraint_take_tools(&opts.constraint, &tools, &source);
    }
    if (code == EXIT_OK) {
        code = model_open(&opts.model, LFM2_LOAD_TOKENIZER, &opened);
    }
    if (code == EXIT_OK) {
        code = prepare(opened.model);
    }
    if (code == EXIT_OK) {
        code = opts.suite != NULL ? suite_run(&opts, opened.model)
                                  : try_instances(&opts, opened.model, &source);
    }
    text_free(&source.text);
    text_free(&tools);
    model_close(&opened);
    return code;
}

const command cmd_constrain = {
    .name = "constrain",
    .summary = "Say which texts a constraint allows.",
    .synopsis = "[MODEL | -m PATH] CONSTRAINT [OPTION]...",
    .details =
        "CONSTRAINT is one of --json-schema, --grammar, --regex, --choices, --tool-choice with "
        "--tools, or a --suite. Compiles the constraint and tries texts: accept, reject with the "
        "place, or refused because a limit is reached. For each token of a text the mask of the "
        "tokens that may follow is "
        "computed, and its time measured (processor time of the thread). The exit code is 1 if the "
        "constraint is refused. The weights of the model are not loaded.\n\n"
        "Example: echo '{\"n\": 12}' | lfm2 constrain --instances - --json-schema \\\n"
        "             '{\"properties\": {\"n\": {\"type\": \"integer\"}}}'",
    .groups = groups,
    .n_groups = COUNT(groups),
    .max_args = 1,
    .run = run,
};
