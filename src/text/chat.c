/* SPDX-License-Identifier: Apache-2.0 */
/* Renders a conversation: gives messages, tools, special tokens and arguments to the template, and
 * turns its output into spans. */
#include "text/chat.h"

#include "common/utf8.h"

#include <string.h>

static const char *const special_names[LF_N_SPECIAL] = {
    "bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token",
};

/* messages, tools, documents, add_generation_prompt, and the additional variable */
enum { FIXED_VARIABLES = 5 };

typedef struct builder {
    lf_arena *arena;
    const lf_chat_request *request;
    const lf_json *messages; /* as parsed */
    lf_template_variable *variables;
    size_t n_variables;
    lf_json special[LF_N_SPECIAL];
} builder;

/* ---- Variables ---- */

static void add_variable(builder *b, const char *name, const lf_json *value, bool from_template)
{
    b->variables[b->n_variables++] = (lf_template_variable){name, value, from_template};
}

static int32_t read_tools(builder *b, const lf_json **out)
{
    const lfm2_chat_options *o = b->request->options;
    *out = NULL;
    if (o->tools == NULL || o->tools_len == 0) {
        return LFM2_OK;
    }
    LF_TRY(lf_json_parse(b->arena, "tools", LFM2_E_TEXT, o->tools, o->tools_len, out));
    if ((*out)->kind != LF_JSON_ARRAY) {
        return lf_fail(LFM2_E_TEXT, "chat.tools", "tools: offset %llu: not a JSON array",
                       (unsigned long long)(*out)->offset);
    }
    return LFM2_OK;
}

/* Fails for a name that the renderer sets itself, or that no template can use. */
static int32_t check_arg(const lf_json *member)
{
    static const char *const names[] = {"messages", "tools", "add_generation_prompt"};
    bool refused = memchr(member->key, 0, member->key_len) != NULL;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        refused |= lf_json_key_is(member, names[i]);
    }
    if (refused) {
        lf_shown shown;
        return lf_fail(LFM2_E_ARGUMENT, "chat.template_args",
                       "template_args: offset %llu: '%s' is not allowed",
                       (unsigned long long)member->offset,
                       lf_show(&shown, member->key, member->key_len));
    }
    return LFM2_OK;
}

static int32_t read_args(builder *b, const lf_json **out)
{
    const lfm2_chat_options *o = b->request->options;
    *out = NULL;
    if (o->template_args == NULL || o->template_args_len == 0) {
        return LFM2_OK;
    }
    LF_TRY(lf_json_parse(b->arena, "template_args", LFM2_E_TEXT, o->template_args,
                         o->template_args_len, out));
    if ((*out)->kind != LF_JSON_OBJECT) {
        return lf_fail(LFM2_E_TEXT, "chat.template_args",
                       "template_args: offset %llu: not a JSON object",
                       (unsigned long long)(*out)->offset);
    }
    for (const lf_json *m = (*out)->child; m != NULL; m = m->next) {
        LF_TRY(check_arg(m));
    }
    return LFM2_OK;
}

/* Sets all variables. messages is the first one: `render` sets its value. A later variable replaces
 * an earlier one of the same name. */
static int32_t set_variables(builder *b)
{
    static const lf_json yes = {.kind = LF_JSON_TRUE};
    static const lf_json no = {.kind = LF_JSON_FALSE};
    const lf_chat_request *r = b->request;
    const lf_json *tools = NULL;
    const lf_json *args = NULL;
    LF_TRY(read_tools(b, &tools));
    LF_TRY(read_args(b, &args));
    void *p = NULL;
    size_t most = FIXED_VARIABLES + LF_N_SPECIAL + (args != NULL ? args->count : 0);
    LF_TRY(lf_arena_new(b->arena, most, sizeof *b->variables, "chat", &p));
    b->variables = p;
    bool prompt = (r->options->flags & LFM2_CHAT_GENERATION_PROMPT) != 0;
    add_variable(b, "messages", NULL, false);
    add_variable(b, "tools", tools, false);
    add_variable(b, "documents", NULL, false);
    add_variable(b, "add_generation_prompt", prompt ? &yes : &no, true);
    for (int i = 0; i < LF_N_SPECIAL; i++) {
        const char *text = r->special[i];
        if (text != NULL) {
            b->special[i] = (lf_json){.kind = LF_JSON_STRING, .text = text, .len = strlen(text)};
            add_variable(b, special_names[i], &b->special[i], true);
        }
    }
    for (const lf_json *m = args != NULL ? args->child : NULL; m != NULL; m = m->next) {
        add_variable(b, m->key, m, false);
    }
    if (r->arg != NULL) {
        add_variable(b, r->arg, r->arg_value ? &yes : &no, false);
    }
    return LFM2_OK;
}

/* ---- Rendering ---- */

/* The limits grow with the input, so that long conversations fit: output is the whole conversation,
 * and each message is copied several times, with a mark for each byte. Encoding needs up to 32
 * bytes of memory for a byte of text, so the limit of the output is lower than that of a template.
 */
static lf_template_limits limits_of(const lf_chat_request *r)
{
    lf_template_limits limits = r->limits != NULL ? *r->limits : lf_template_limits_default();
    enum { OUTPUT = 1 << 20 };
    size_t input = SIZE_MAX / 128;
    size_t sum = 0;
    if (lf_add_size(r->messages_len, r->options->tools_len, &sum) &&
        lf_add_size(sum, r->options->template_args_len, &sum) && sum < input) {
        input = sum;
    }
    limits.output = (limits.output < OUTPUT ? limits.output : OUTPUT) + 4 * input;
    limits.memory += 32 * input;
    limits.steps += 32 * input;
    return limits;
}

static int32_t render(builder *b, const lf_alloc *alloc, lf_chat_content content, bool *differs,
                      lf_template_output *out)
{
    const lf_template_limits limits = limits_of(b->request);
    LF_TRY(lf_chat_view(b->arena, b->messages, content, &b->variables[0].value, differs));
    return lf_template_render(b->request->t, alloc, &limits, b->variables, b->n_variables,
                              b->request->now, out);
}

/* Renders; if the template fails because of content that is not a string, renders again. */
static int32_t render_twice(builder *b, const lf_alloc *alloc, lf_template_output *out)
{
    lf_chat_content content = {
        .join = (b->request->options->flags & LFM2_CHAT_JOIN_PARTS) != 0,
    };
    bool differs = false;
    lf_failure before;
    lf_fail_save(&before);
    int32_t status = render(b, alloc, content, &differs, out);
    if (status != LFM2_E_TEXT || !differs || b->request->once) {
        return status;
    }
    lf_template_output_free(out);
    content = (lf_chat_content){.join = true, .fill = true};
    status = render(b, alloc, content, &differs, out);
    if (status == LFM2_OK) {
        lf_fail_restore(&before);
    }
    return status;
}

/* ---- Spans ---- */

/* Bytes of a BOS token that the template wrote at the beginning. */
static size_t leading_bos(const lf_chat_request *r, const lf_template_output *out)
{
    const char *bos = r->special[LF_SPECIAL_BOS];
    bos = bos != NULL && bos[0] != '\0' ? bos : "<|startoftext|>";
    size_t len = strlen(bos);
    bool found = out->n_spans > 0 && out->spans[0].from_template && out->spans[0].len >= len &&
                 memcmp(out->text, bos, len) == 0;
    return found ? len : 0;
}

/* Changes the spans of *out in place: a text may have as many spans as bytes. */
static void make_spans(const lf_chat_request *r, const lf_template_output *in, lf_chat *out)
{
    _Static_assert(sizeof(lf_span) == sizeof(lf_template_span), "one array serves both");
    bool no_bos = (r->options->flags & LFM2_CHAT_NO_BOS) != 0;
    size_t skip = no_bos ? leading_bos(r, in) : 0;
    void *memory = in->spans;
    lf_span *spans = memory;
    for (size_t i = 0; i < in->n_spans; i++) {
        const lf_template_span s = in->spans[i];
        size_t cut = i == 0 ? skip : 0;
        if (s.len > cut) {
            spans[out->n_spans++] = (lf_span){s.text + cut, s.len - cut, s.from_template};
        }
    }
    out->spans = spans;
    out->text = in->text + skip;
    out->len = in->len - skip;
}

int32_t lf_chat_build(const lf_alloc *alloc, const lf_chat_request *request, lf_chat *out)
{
    lf_arena arena;
    lf_template_output rendered = {.text = ""};
    builder b = {.arena = &arena, .request = request};
    int32_t status = LFM2_OK;
    *out = (lf_chat){.text = ""};
    lf_arena_init(&out->arena, alloc);
    lf_arena_init(&arena, alloc);
    lf_arena_init(&rendered.arena, alloc);
    LF_TRY_DONE(lf_chat_parse(&arena, request->messages, request->messages_len, &b.messages));
    LF_TRY_DONE(set_variables(&b));
    LF_TRY_DONE(render_twice(&b, alloc, &rendered));
    /* The text moves to *out. */
    out->arena = rendered.arena;
    lf_arena_init(&rendered.arena, alloc);
    make_spans(request, &rendered, out);
done:
    lf_template_output_free(&rendered);
    lf_arena_free(&arena);
    return status;
}

void lf_chat_free(lf_chat *chat)
{
    lf_arena_free(&chat->arena);
    *chat = (lf_chat){.text = ""};
}
