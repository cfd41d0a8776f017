/* SPDX-License-Identifier: Apache-2.0 */
/* lfm2 inspect: shows the contents of a model file and the memory that running it needs. */
#include "cli/commands.h"
#include "cli/options/model_options.h"
#include "cli/options/session_options.h"
#include "cli/support/chat_format.h"
#include "cli/support/json.h"
#include "cli/support/number.h"
#include "cli/support/prefetch_report.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

typedef struct inspect_options {
    model_options model;
    session_options session;
    bool tensors, meta, json;
} inspect_options;

static const opt_spec specs[] = {
    {.type = OPT_FLAG,
     .name = "tensors",
     .help = "list the tensors",
     .offset = offsetof(inspect_options, tensors)},
    {.type = OPT_FLAG,
     .name = "meta",
     .help = "list the metadata",
     .offset = offsetof(inspect_options, meta)},
    {.type = OPT_FLAG,
     .name = "json",
     .help = "print one JSON object",
     .offset = offsetof(inspect_options, json)},
    {.type = OPT_END},
};

static const opt_group groups[] = {
    {"Output", specs, 0, NULL},
    SESSION_GROUPS(inspect_options, session),
    MODEL_FILE_GROUP(inspect_options, model),
    MODEL_THREAD_GROUP(inspect_options, model),
    MODEL_KERNEL_GROUP(inspect_options, model),
};

enum { MAX_TYPES = 32 };

/* How many tensors have a type, and their size. */
typedef struct type_sum {
    const char *name;
    uint32_t n;
    uint64_t bytes;
} type_sum;

typedef struct report {
    const inspect_options *opts;
    const lfm2_model *model;
    const char *path;
    lfm2_model_info info;
    lfm2_memory memory;
    type_sum types[MAX_TYPES];
    uint32_t n_types;
    lfm2_chat_info chat; /* of the template that is used by default */
} report;

/* A number of the report. */
typedef struct field {
    const char *key;
    uint64_t value;
} field;

enum { N_FIELDS = 16 };

static void list_fields(const lfm2_model_info *i, field out[N_FIELDS])
{
    const field all[N_FIELDS] = {
        {"n_vocab", i->n_vocab},
        {"n_embd", i->n_embd},
        {"n_layer", i->n_layer},
        {"n_layer_attn", i->n_layer_attn},
        {"n_layer_dense", i->n_layer_dense},
        {"n_head", i->n_head},
        {"n_head_kv", i->n_head_kv},
        {"head_dim", i->head_dim},
        {"n_ff", i->n_ff},
        {"n_expert", i->n_expert},
        {"n_expert_used", i->n_expert_used},
        {"n_ff_expert", i->n_ff_expert},
        {"conv_kernel", i->conv_kernel},
        {"n_ctx_train", i->n_ctx_train},
        {"n_tensors", i->n_tensors},
        {"n_meta", i->n_meta},
    };
    memcpy(out, all, sizeof all);
}

enum { N_MEMORY = 9 };

static void list_memory(const lfm2_memory *m, field out[N_MEMORY])
{
    const field all[N_MEMORY] = {
        {"weights", m->weights},
        {"mapped", m->mapped},
        {"kv", m->kv},
        {"conv", m->conv},
        {"scratch", m->scratch},
        {"total", m->total},
        {"kv_page", m->kv_page},
        {"kv_budget", m->kv_budget},
        {"cache_checkpoint", m->cache_checkpoint},
    };
    memcpy(out, all, sizeof all);
}

static int collect(report *r)
{
    r->info.size = sizeof r->info;
    r->memory.size = sizeof r->memory;
    lfm2_session_options options;
    session_options_fill(&r->opts->session, r->model, &options);
    if (lfm2_model_get_info(r->model, &r->info) != LFM2_OK ||
        lfm2_estimate_memory(r->model, &options, &r->memory) != LFM2_OK) {
        return fail_library();
    }
    for (uint32_t i = 0; i < r->info.n_tensors; i++) {
        lfm2_tensor_info tensor = {.size = sizeof tensor};
        if (lfm2_model_get_tensor(r->model, i, &tensor) != LFM2_OK) {
            return fail_library();
        }
        uint32_t t = 0;
        while (t < r->n_types && strcmp(r->types[t].name, tensor.type) != 0) {
            t++;
        }
        if (t == MAX_TYPES) {
            continue;
        }
        if (t == r->n_types) {
            r->types[r->n_types++].name = tensor.type;
        }
        r->types[t].n++;
        r->types[t].bytes += tensor.bytes;
    }
    return EXIT_OK;
}

/* Describes the chat template. One that cannot be compiled is reported, and the rest is shown. */
static void describe_chat(report *r)
{
    r->chat = (lfm2_chat_info){.size = sizeof r->chat, .name = "", .origin = ""};
    if (lfm2_chat_get_info(r->model, NULL, &r->chat) != LFM2_OK) {
        fail_library();
        r->chat.reasoning_arg = "";
        r->chat.reasoning_start_id = r->chat.reasoning_end_id = -1;
    }
}

/* ---- Text ----------------------------------------------------------------------------------- */

static void line_bytes(const char *key, uint64_t bytes)
{
    char text[32];
    out_printf("%-16s %s\n", key, format_bytes(bytes, text));
}

static void print_generation(const report *r)
{
    lfm2_sampler_options s;
    lfm2_sampler_options_init(&s, sizeof s, r->model);
    out_printf("%-16s", "end tokens");
    for (uint32_t id = 0; id < r->info.n_vocab; id++) {
        if (lfm2_token_is_end(r->model, (int32_t)id)) {
            out_printf(" %u", id);
        }
    }
    out_printf("\n%-16s temp %g, top-k %d, top-p %g, min-p %g, repeat-penalty %g, "
               "repeat-last-n %d\n%-16s from: ",
               "sampling", (double)s.temperature, (int)s.top_k, (double)s.top_p, (double)s.min_p,
               (double)s.repetition_penalty, (int)s.penalty_last_n, "");
    out_name(r->info.sampling);
    out_printf("\n");
}

/* The template that is used by default, and the names of all. */
static void print_templates(const report *r)
{
    char text[512];
    out_printf("%-16s ", "chat template");
    out_name(chat_format_describe(&r->chat, text, sizeof text));
    out_printf("\n%-16s all:", "");
    for (uint32_t i = 0; i < r->info.n_chat_templates; i++) {
        lfm2_chat_template_info t = {.size = sizeof t};
        if (lfm2_model_get_chat_template(r->model, i, &t) == LFM2_OK) {
            out_printf("%s", i > 0 ? ", " : " ");
            out_name(t.name);
        }
    }
    out_printf("\n");
}

static void print_summary(const report *r)
{
    const lfm2_model_info *i = &r->info;
    char count[32];
    char active[32];
    field fields[N_FIELDS];
    out_printf("%-16s ", "file");
    out_name(r->path);
    out_printf("\n%-16s %s\n%-16s ", "arch", i->arch, "name");
    out_name(i->name);
    out_printf("\n%-16s %s\n", "type", i->file_type);
    out_printf("%-16s %s (%" PRIu64 "), %s active\n", "parameters",
               format_count(i->n_params, count), i->n_params,
               format_count(i->n_params_active, active));
    line_bytes("file size", i->file_bytes);
    line_bytes("weights", i->weight_bytes);
    list_fields(i, fields);
    for (uint32_t k = 0; k < N_FIELDS; k++) {
        out_printf("%-16s %" PRIu64 "\n", fields[k].key, fields[k].value);
    }
    out_printf("%-16s %g\n%-16s %g\n", "rope_theta", (double)i->rope_theta, "norm_eps",
               (double)i->norm_eps);
    out_printf("%-16s bos %d, eos %d, pad %d\n", "tokens", (int)i->bos_id, (int)i->eos_id,
               (int)i->pad_id);
    print_generation(r);
    print_templates(r);
    for (uint32_t t = 0; t < r->n_types; t++) {
        out_printf("%-16s %u x %s, %s\n", t == 0 ? "tensor types" : "", r->types[t].n,
                   r->types[t].name, format_bytes(r->types[t].bytes, count));
    }
    field memory[N_MEMORY];
    list_memory(&r->memory, memory);
    out_printf("\nmemory with one session\n");
    for (uint32_t k = 0; k < N_MEMORY; k++) {
        out_printf("  ");
        line_bytes(memory[k].key, memory[k].value);
    }
}

static void print_tensor(const lfm2_tensor_info *t)
{
    char dims[96] = "";
    size_t used = 0;
    for (uint32_t d = 0; d < t->n_dims && d < COUNT(t->dims); d++) {
        int n =
            snprintf(dims + used, sizeof dims - used, "%s%" PRIu64, d > 0 ? " x " : "", t->dims[d]);
        used += n > 0 ? (size_t)n : 0;
    }
    out_printf("%-8s %-24s %14" PRIu64 " ", t->type, dims, t->bytes);
    out_name(t->name);
    out_printf("\n");
}

/* ---- JSON ----------------------------------------------------------------------------------- */

static void json_member(const char *key, const char *value)
{
    out_printf("\"%s\":", key);
    json_string(value, strlen(value));
    out_write(",", 1);
}

static void json_fields(const field *fields, uint32_t n)
{
    for (uint32_t k = 0; k < n; k++) {
        out_printf("%s\"%s\":%" PRIu64, k > 0 ? "," : "", fields[k].key, fields[k].value);
    }
}

static void json_generation(const report *r)
{
    bool first = true;
    lfm2_sampler_options s;
    lfm2_sampler_options_init(&s, sizeof s, r->model);
    out_printf("\"end_ids\":[");
    for (uint32_t id = 0; id < r->info.n_vocab; id++) {
        if (lfm2_token_is_end(r->model, (int32_t)id)) {
            out_printf("%s%u", first ? "" : ",", id);
            first = false;
        }
    }
    out_printf("],\"sampling\":{");
    json_member("from", r->info.sampling);
    out_printf("\"temperature\":%.9g,\"top_k\":%d,\"top_p\":%.9g,\"min_p\":%.9g,"
               "\"repetition_penalty\":%.9g,\"penalty_last_n\":%d},",
               (double)s.temperature, (int)s.top_k, (double)s.top_p, (double)s.min_p,
               (double)s.repetition_penalty, (int)s.penalty_last_n);
}

static void json_chat(const report *r)
{
    const lfm2_chat_info *c = &r->chat;
    const struct {
        const char *key;
        bool value;
    } features[] = {{"system", c->system != 0},
                    {"tools", c->tools != 0},
                    {"tool_calls", c->tool_calls != 0},
                    {"parts", c->parts != 0},
                    {"opens_reasoning", c->opens_reasoning != 0}};
    out_printf("\"chat_template\":{");
    json_member("name", c->name);
    json_member("origin", c->origin);
    for (uint32_t i = 0; i < COUNT(features); i++) {
        out_printf("\"%s\":%s,", features[i].key, features[i].value ? "true" : "false");
    }
    json_member("reasoning_arg", c->reasoning_arg);
    out_printf("\"reasoning_start_id\":%d,\"reasoning_end_id\":%d},\"chat_templates\":[",
               (int)c->reasoning_start_id, (int)c->reasoning_end_id);
    for (uint32_t i = 0; i < r->info.n_chat_templates; i++) {
        lfm2_chat_template_info t = {.size = sizeof t};
        if (lfm2_model_get_chat_template(r->model, i, &t) == LFM2_OK) {
            out_printf("%s{", i > 0 ? "," : "");
            json_member("name", t.name);
            json_member("origin", t.origin);
            out_printf("\"bytes\":%zu}", t.len);
        }
    }
    out_printf("],");
}

static void json_summary(const report *r)
{
    const lfm2_model_info *i = &r->info;
    field fields[N_FIELDS];
    field memory[N_MEMORY];
    json_member("file", r->path);
    json_member("arch", i->arch);
    json_member("name", i->name);
    json_member("type", i->file_type);
    out_printf("\"n_params\":%" PRIu64 ",\"n_params_active\":%" PRIu64 ",\"file_bytes\":%" PRIu64
               ",\"weight_bytes\":%" PRIu64 ",",
               i->n_params, i->n_params_active, i->file_bytes, i->weight_bytes);
    list_fields(i, fields);
    json_fields(fields, N_FIELDS);
    out_printf(",\"rope_theta\":%.9g,\"norm_eps\":%.9g,\"bos_id\":%d,\"eos_id\":%d,\"pad_id\":%d,",
               (double)i->rope_theta, (double)i->norm_eps, (int)i->bos_id, (int)i->eos_id,
               (int)i->pad_id);
    json_generation(r);
    json_chat(r);
    out_printf("\"types\":{");
    for (uint32_t t = 0; t < r->n_types; t++) {
        out_printf("%s\"%s\":{\"n\":%u,\"bytes\":%" PRIu64 "}", t > 0 ? "," : "", r->types[t].name,
                   r->types[t].n, r->types[t].bytes);
    }
    out_printf("},\"memory\":{");
    list_memory(&r->memory, memory);
    json_fields(memory, N_MEMORY);
    out_printf("}");
}

static void json_tensor(const lfm2_tensor_info *t)
{
    out_printf("{");
    json_member("name", t->name);
    json_member("type", t->type);
    out_printf("\"dims\":[");
    for (uint32_t d = 0; d < t->n_dims && d < COUNT(t->dims); d++) {
        out_printf("%s%" PRIu64, d > 0 ? "," : "", t->dims[d]);
    }
    out_printf("],\"bytes\":%" PRIu64 ",\"part\":%u,\"offset\":%" PRIu64 "}", t->bytes, t->part,
               t->offset);
}

/* ---- Lists ---------------------------------------------------------------------------------- */

static int print_tensors(const report *r)
{
    bool json = r->opts->json;
    out_printf("%s", json ? ",\"tensors\":[" : "\ntensors\n");
    for (uint32_t i = 0; i < r->info.n_tensors; i++) {
        lfm2_tensor_info tensor = {.size = sizeof tensor};
        if (lfm2_model_get_tensor(r->model, i, &tensor) != LFM2_OK) {
            return fail_library();
        }
        if (json) {
            out_printf("%s", i > 0 ? "," : "");
            json_tensor(&tensor);
        } else {
            print_tensor(&tensor);
        }
    }
    out_printf("%s", json ? "]" : "");
    return EXIT_OK;
}

static int print_meta(const report *r)
{
    bool json = r->opts->json;
    out_printf("%s", json ? ",\"meta\":[" : "\nmetadata\n");
    for (uint32_t i = 0; i < r->info.n_meta; i++) {
        const char *key = NULL;
        const char *value = NULL;
        if (lfm2_model_get_meta(r->model, i, &key, &value) != LFM2_OK) {
            return fail_library();
        }
        if (json) {
            out_printf("%s[", i > 0 ? "," : "");
            json_string(key, strlen(key));
            out_printf(",");
            json_string(value, strlen(value));
            out_printf("]");
        } else {
            out_name(key);
            out_printf(" = ");
            out_name(value);
            out_printf("\n");
        }
    }
    out_printf("%s", json ? "]" : "");
    return EXIT_OK;
}

static int print(const report *r)
{
    if (r->opts->json) {
        out_printf("{");
        json_summary(r);
    } else {
        print_summary(r);
    }
    int code = r->opts->tensors ? print_tensors(r) : EXIT_OK;
    if (code == EXIT_OK && r->opts->meta) {
        code = print_meta(r);
    }
    if (r->opts->json) {
        out_printf("}\n");
    }
    return code;
}

static int run(const command *self, int argc, char **argv)
{
    inspect_options opts = {0};
    opt_args args = {.n = 0};
    int code = options_parse(self, argc, argv, &opts, &args);
    if (code == PARSED) {
        code = model_argument(self, &args, &opts.model);
    }
    if (code != PARSED) {
        return code;
    }
    open_model opened = {0};
    code = model_open(&opts.model, LFM2_LOAD_INSPECT, &opened);
    if (code == EXIT_OK) {
        report r = {.opts = &opts, .model = opened.model, .path = opened.path};
        code = collect(&r);
        if (code == EXIT_OK) {
            describe_chat(&r);
            code = print(&r);
        }
    }
    if (code == EXIT_OK && opts.model.verbose && opts.model.prefetch == 0) {
        notice_prefetch_start(opened.runtime);
    }
    model_close(&opened);
    return code;
}

const command cmd_inspect = {
    .name = "inspect",
    .also = "show info",
    .summary = "Show the contents of a model and the memory it needs.",
    .synopsis = "[MODEL | -m PATH] [OPTION]...",
    .details = "Checks the whole file. The memory is computed, not allocated, for one session with "
               "the given -c, --chunk and --kv.",
    .groups = groups,
    .n_groups = COUNT(groups),
    .max_args = 1,
    .run = run,
};
