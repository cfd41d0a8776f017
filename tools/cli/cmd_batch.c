/* SPDX-License-Identifier: Apache-2.0 */
/* lfm2 batch: answers the requests of a file. */
#include "cli/batch/batch.h"
#include "cli/commands.h"
#include "cli/options/compat_options.h"
#include "cli/support/number.h"

#include <string.h>

static const opt_special error_specials[] = {
    {-1, UINT32_MAX, "no limit"},
    {0, 0, NULL},
};

static const opt_spec specs[] = {
    {.type = OPT_TEXT,
     .name = "shard",
     .arg = "I/N",
     .help = "answer only the lines whose number, divided by N, leaves I (0 to N; N is 0): N "
             "processes with different I answer all lines",
     .default_text = "0/1",
     .offset = offsetof(batch_options, shard_text)},
    {.type = OPT_FLAG,
     .name = "ordered",
     .help = "write the answers in the order of their lines, not as they are completed",
     .offset = offsetof(batch_options, ordered)},
    {.type = OPT_U64,
     .letter = 's',
     .name = "seed",
     .arg = "N",
     .help = "determines, together with custom_id, the seed of a line whose request has none",
     .default_text = "0",
     .offset = offsetof(batch_options, seed)},
    {.type = OPT_U32,
     .letter = 'n',
     .name = "predict",
     .aliases = "--n-predict --max-tokens",
     .arg = "N",
     .help = "maximum number of tokens in an answer whose request has no limit",
     .default_text = "8192",
     .offset = offsetof(batch_options, n_predict),
     .min = 1,
     .max = INT32_MAX,
     .specials = predict_specials},
    {.type = OPT_U32,
     .name = "max-errors",
     .arg = "N",
     .help = "stop with exit code 1 when more than N lines have failed",
     .default_text = "-1",
     .offset = offsetof(batch_options, max_errors),
     .max = INT32_MAX,
     .specials = error_specials},
    {.type = OPT_U32,
     .name = "grace",
     .arg = "S",
     .help = "after SIGTERM, complete the answers that are being generated for at most S seconds",
     .default_text = "20",
     .offset = offsetof(batch_options, grace),
     .max = 86400},
    {.type = OPT_END},
};

static const opt_group groups[] = {
    {"Batch", specs, 0, NULL},
    ENGINE_GROUP(batch_options, engine),
    SESSION_GROUPS(batch_options, session),
    MODEL_GROUPS(batch_options, model),
    MODEL_MERGES_GROUP(batch_options, model),
    COMPAT_GROUP,
};

/* Reads "I/N". N may also stand for the shard 0 of N, so that the numbers 1 to N work too. */
static int parse_shard(const command *self, batch_options *opts)
{
    const char *text = opts->shard_text;
    opts->n_shards = 1;
    if (text == NULL) {
        return PARSED;
    }
    const char *slash = strchr(text, '/');
    char first[16];
    uint64_t i = 0;
    uint64_t n = 0;
    size_t len = slash != NULL ? (size_t)(slash - text) : sizeof first;
    if (len < sizeof first) {
        memcpy(first, text, len);
        first[len] = 0;
    }
    if (len >= sizeof first || !parse_u64(first, &i) || !parse_u64(slash + 1, &n) || n < 1 ||
        n > UINT32_MAX || i > n) {
        return fail_usage(self->name, "option --shard: '%s' is not I/N with 0 <= I <= N", text);
    }
    opts->shard = (uint32_t)(i % n);
    opts->n_shards = (uint32_t)n;
    return PARSED;
}

static int run(const command *self, int argc, char **argv)
{
    batch_options opts = {.n_predict = DEFAULT_PREDICT, .max_errors = UINT32_MAX, .grace = 20};
    opt_args args = {.n = 0};
    int code = options_parse(self, argc, argv, &opts, &args);
    if (code == PARSED) {
        code = parse_shard(self, &opts);
    }
    if (code != PARSED) {
        return code;
    }
    return batch_run(&opts, args.items[0], args.items[1]);
}

const command cmd_batch = {
    .name = "batch",
    .summary = "Answer the requests of a file.",
    .synopsis = "IN.jsonl OUT.jsonl [-m PATH] [OPTION]...",
    .details =
        "Each line of IN is a request in the format of OpenAI's batches: an object with "
        "\"custom_id\", \"method\" (\"POST\"), \"url\" (such as \"/v1/chat/completions\") and "
        "\"body\". Each line of OUT is its answer, an object with \"id\", \"custom_id\", "
        "\"response\" "
        "and \"error\", written when it is complete. A line that is wrong gets an answer with an "
        "error. '-' is standard input and standard output.\n\n"
        "If OUT has answers to lines of IN, these lines are not answered again: after a power cut, "
        "a kill or an interruption, the same command continues. An answer does not depend on the "
        "shards, on the order of the lines and on what else runs.\n\n"
        "Exit codes: 0 all lines are answered; 3 all are answered, some with errors; 1 failure; 2 "
        "invalid command line; 75 ended by SIGTERM and 130 by Ctrl-C, and the same command "
        "continues.\n\n"
        "Examples: lfm2 batch -m LFM2-8B-A1B-Q4_0.gguf questions.jsonl answers.jsonl\n"
        "          lfm2 batch --shard 2/8 questions.jsonl answers-2.jsonl",
    .groups = groups,
    .n_groups = COUNT(groups),
    .min_args = 2,
    .max_args = 2,
    .run = run,
};
