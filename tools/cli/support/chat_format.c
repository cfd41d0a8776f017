/* SPDX-License-Identifier: Apache-2.0 */
/* How a command renders conversations: the template, its variables, reasoning in prompts. */
#include "cli/support/chat_format.h"
#include "cli/support/json.h"
#include "cli/support/reasoning.h"
#include "cli/support/system.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

static lfm2_chat_options library_options(const chat_format *format, uint32_t flags)
{
    lfm2_chat_options o;
    lfm2_chat_options_init(&o, sizeof o);
    o.flags = flags;
    o.tools = format->tools->data;
    o.tools_len = format->tools->len;
    o.template_args = format->args.data;
    o.template_args_len = format->args.len;
    o.chat_template = format->chosen;
    o.now = &format->now;
    return o;
}

int32_t chat_format_text(const chat_format *format, const text_buffer *messages, uint32_t flags,
                         text_buffer *out)
{
    const lfm2_chat_options options = library_options(format, flags);
    size_t space = messages->len + 4096;
    for (;;) {
        size_t len = 0;
        if (text_reserve(out, space) != EXIT_OK) {
            return LFM2_E_MEMORY;
        }
        int32_t status = lfm2_chat_render(format->model, messages->data, messages->len, &options,
                                          out->data + out->len, space, &len);
        if (status == LFM2_OK) {
            out->len += len;
            out->data[out->len] = 0;
        }
        if (status != LFM2_E_BUFFER || len <= space) {
            return status;
        }
        space = len;
    }
}

int32_t chat_format_ids(const chat_format *format, const text_buffer *messages, uint32_t flags,
                        id_list *ids)
{
    const lfm2_chat_options options = library_options(format, flags);
    size_t space = messages->len / 3 + 1024;
    for (;;) {
        size_t n = 0;
        if (ids_reserve(ids, space) != EXIT_OK) {
            return LFM2_E_MEMORY;
        }
        int32_t status = lfm2_chat_tokenize(format->model, messages->data, messages->len, &options,
                                            ids->data + ids->n, space, &n);
        if (status == LFM2_OK) {
            ids->n += n;
        }
        if (status != LFM2_E_BUFFER || n <= space) {
            return status;
        }
        space = n;
    }
}

/* ---- The template --------------------------------------------------------------------------- */

/* Whether the model has a template of this name. */
static bool has_template(const lfm2_model *model, const char *name)
{
    lfm2_model_info info = {.size = sizeof info};
    lfm2_chat_template_info t = {.size = sizeof t};
    if (lfm2_model_get_info(model, &info) != LFM2_OK) {
        return false;
    }
    for (uint32_t i = 0; i < info.n_chat_templates; i++) {
        if (lfm2_model_get_chat_template(model, i, &t) == LFM2_OK && strcmp(t.name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* Compiles the template of --chat-template. The names of the model's templates come first: a file
 * called lfm2 is probably the program. */
static int choose_template(const char *source, const open_model *opened, lfm2_chat_template **out)
{
    struct stat info;
    if (has_template(opened->model, source) ||
        (strchr(source, '/') == NULL && stat(source, &info) != 0 && errno == ENOENT)) {
        return lfm2_chat_template_find(opened->model, source, out) == LFM2_OK ? EXIT_OK
                                                                              : fail_library();
    }
    text_buffer text = {0};
    int code = text_read(source, &text);
    if (code == EXIT_OK &&
        lfm2_chat_template_create(opened->runtime, text.data, text.len, out) != LFM2_OK) {
        code = fail(lfm2_last_error_code(), "%s: %s", source, lfm2_last_error());
    }
    text_free(&text);
    return code;
}

/* Whether the text of an answer contains its reasoning_content. */
static bool keeps_reasoning(const chat_format *format)
{
    static char messages[] =
        "[{\"role\":\"user\",\"content\":\"a\"},"
        "{\"role\":\"assistant\",\"content\":\"b\",\"reasoning_content\":\"because\"}]";
    const text_buffer json = {.data = messages, .len = sizeof messages - 1};
    text_buffer text = {0};
    bool found = chat_format_text(format, &json, 0, &text) == LFM2_OK &&
                 strstr(text.data, "because") != NULL;
    text_free(&text);
    return found;
}

const char *chat_format_describe(const lfm2_chat_info *info, char *out, size_t size)
{
    size_t used = append_format(out, size, 0, "%s%s%s", info->name,
                                info->name[0] != 0 ? " from " : "", info->origin);
    if (info->opens_reasoning != 0) {
        used = append_format(out, size, used, "; its prompt opens " REASONING_START);
    }
    if (info->reasoning_arg[0] != 0) {
        append_format(out, size, used, "; it takes %s", info->reasoning_arg);
    }
    return out;
}

static int describe(chat_format *format)
{
    const lfm2_chat_options options = library_options(format, 0);
    format->info.size = sizeof format->info;
    if (lfm2_chat_get_info(format->model, &options, &format->info) != LFM2_OK) {
        return fail_library();
    }
    format->keeps_reasoning = keeps_reasoning(format);
    return EXIT_OK;
}

int chat_format_open(const template_options *options, const text_buffer *tools,
                     const open_model *opened, bool verbose, chat_format *out)
{
    int code = EXIT_OK;
    *out = (chat_format){.model = opened->model, .tools = tools};
    local_time(&out->now);
    if (options->date != NULL) {
        out->now = (lfm2_time){.size = sizeof out->now,
                               .year = options->year,
                               .month = options->month,
                               .day = options->day};
    }
    if (options->args != NULL) {
        code = text_append(&out->args, options->args, strlen(options->args));
    }
    if (code == EXIT_OK && options->source != NULL) {
        code = choose_template(options->source, opened, &out->chosen);
    }
    if (code == EXIT_OK) {
        code = describe(out);
    }
    if (code == EXIT_OK && verbose) {
        char text[512];
        bool file = out->info.name[0] == 0; /* origin is only "application" */
        notice("chat template: %s%s%s", file ? options->source : "", file ? " from " : "",
               chat_format_describe(&out->info, text, sizeof text));
    }
    return code;
}

void chat_format_close(chat_format *format)
{
    lfm2_chat_template_free(format->chosen);
    text_free(&format->args);
    *format = (chat_format){0};
}

/* ---- Reasoning in prompts ------------------------------------------------------------------- */

/* Adds "NAME": false to the template's variables. */
static int set_false(chat_format *format, const char *name)
{
    char added[64];
    lf_alloc alloc = lf_alloc_default();
    lf_arena arena;
    lf_arena_init(&arena, &alloc);
    const lf_json *args = NULL;
    text_buffer all = {0};
    int code = EXIT_OK;
    if (format->args.len > 0 &&
        lf_json_parse(&arena, "--template-args", LFM2_E_TEXT, format->args.data, format->args.len,
                      &args) != LFM2_OK) {
        code = fail("cli.reasoning", "%s", lf_fail_text());
    } else if (lf_json_get(args, name) != NULL) {
        code = fail("cli.reasoning", "--reasoning off sets %s, and so does --template-args", name);
    } else {
        size_t n = append_format(added, sizeof added, 0, "{\"%s\":false", name);
        code = text_append(&all, added, n);
    }
    for (const lf_json *m = args != NULL ? args->child : NULL; m != NULL && code == EXIT_OK;
         m = m->next) {
        code = text_append(&all, ",", 1);
        code = code == EXIT_OK ? json_append_string(&all, m->key, m->key_len) : code;
        code = code == EXIT_OK ? text_append(&all, ":", 1) : code;
        code = code == EXIT_OK ? json_append(&all, m) : code;
    }
    code = code == EXIT_OK ? text_append(&all, "}", 1) : code;
    if (code == EXIT_OK) {
        text_free(&format->args);
        format->args = all;
        all = (text_buffer){0};
    }
    text_free(&all);
    lf_arena_free(&arena);
    return code;
}

int chat_format_switch_off(chat_format *format)
{
    const lfm2_chat_info *info = &format->info;
    if (info->reasoning_arg[0] != 0) {
        return set_false(format, info->reasoning_arg);
    }
    bool tokens = info->reasoning_start_id >= 0 && info->reasoning_end_id >= 0;
    if (!tokens && info->opens_reasoning == 0) {
        return fail("cli.reasoning",
                    "--reasoning off: the chat template has no switch for reasoning, and the "
                    "vocabulary no " REASONING_START
                    "; --reasoning hide does not print the reasoning");
    }
    return EXIT_OK;
}

int chat_format_find_open(const chat_format *format, const id_list *prompt, open_reasoning *out)
{
    enum { LAST = 16, MARKER = sizeof REASONING_START - 1 };
    text_buffer text = {0};
    size_t n = prompt->n < LAST ? prompt->n : LAST;
    *out = (open_reasoning){.len = 0};
    int code =
        text_of_ids(format->model, prompt->data + prompt->n - n, n, LFM2_DETOKENIZE_SPECIAL, &text);
    size_t end = text.len; /* of the text before trailing white space */
    while (code == EXIT_OK && end > 0 && strchr(" \t\r\n", text.data[end - 1]) != NULL) {
        end--;
    }
    if (code == EXIT_OK && end >= MARKER && text.len - end + MARKER < sizeof out->text &&
        memcmp(text.data + end - MARKER, REASONING_START, MARKER) == 0) {
        out->len = text.len - end + MARKER;
        memcpy(out->text, text.data + end - MARKER, out->len);
    }
    text_free(&text);
    return code;
}

int chat_format_close_reasoning(const chat_format *format, bool after_newline, id_list *ids)
{
    static const char text[] = "\n" REASONING_END "\n\n";
    return ids_of_text(format->model, text + after_newline, sizeof text - 1 - after_newline,
                       LFM2_TOKENIZE_SPECIAL, ids);
}

int chat_format_complete(const chat_format *format, const reasoning_options *options,
                         id_list *prompt, open_reasoning *open)
{
    int code = chat_format_find_open(format, prompt, open);
    bool block = options->mode == REASONING_OFF && format->info.reasoning_arg[0] == 0;
    if (code == EXIT_OK && block && open->len == 0) {
        code = ids_of_text(format->model, REASONING_START, sizeof REASONING_START - 1,
                           LFM2_TOKENIZE_SPECIAL, prompt);
    }
    if (code == EXIT_OK &&
        (block || (open->len > 0 && (options->mode == REASONING_OFF || options->budget == 0)))) {
        bool after_newline = open->len > 0 && open->text[open->len - 1] == '\n';
        code = chat_format_close_reasoning(format, after_newline, prompt);
        *open = (open_reasoning){.len = 0};
    }
    return code;
}
