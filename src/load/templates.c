/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the chat templates of a model: GGUF keys, tokenizer_config.json, and files of a folder. */
#include "load/gguf.h"

#include "load/config.h"

#include "common/os.h"

#include <stdio.h>
#include <string.h>

enum { NAME_BYTES = 64, MAX_ENTRIES = 4096 };

static const char default_name[] = "default";

/* Adds a template and copies its strings. Of two templates with one name the first counts. Leaves
 * out templates after LF_MAX_TEMPLATES and names that are empty or too long. */
static int32_t add(lf_source *source, const char *name, size_t name_len, const char *origin,
                   const char *text, size_t len)
{
    lf_vocab_data *v = &source->vocab;
    for (uint32_t i = 0; i < v->n_templates; i++) {
        if (strlen(v->templates[i].name) == name_len &&
            memcmp(v->templates[i].name, name, name_len) == 0) {
            return LFM2_OK;
        }
    }
    if (v->n_templates == LF_MAX_TEMPLATES || name_len == 0 || name_len > NAME_BYTES ||
        memchr(name, 0, name_len) != NULL) {
        lf_shown shown;
        lf_log_write(source->log, LFM2_LOG_WARN,
                     "%s: chat template '%s' is left out: allowed are %d templates with names of 1 "
                     "to %d bytes",
                     source->path, lf_show(&shown, name, name_len), LF_MAX_TEMPLATES, NAME_BYTES);
        return LFM2_OK;
    }
    if (v->n_templates == 0) {
        void *p = NULL;
        LF_TRY(
            lf_arena_new(&source->arena, LF_MAX_TEMPLATES, sizeof *v->templates, "templates", &p));
        v->templates = p;
    }
    lf_vocab_template *t = &v->templates[v->n_templates];
    t->len = len;
    LF_TRY(lf_arena_string(&source->arena, name, name_len, &t->name));
    LF_TRY(lf_arena_string(&source->arena, origin, strlen(origin), &t->origin));
    LF_TRY(lf_arena_string(&source->arena, text, len, &t->text));
    v->n_templates++;
    return LFM2_OK;
}

/* ---- GGUF: tokenizer.chat_template and tokenizer.chat_template.NAME ---- */

static int32_t add_value(lf_source *source, const lf_gguf *g, const lf_gguf_value *v,
                         const char *name)
{
    if (v->type != LF_GGUF_STRING) {
        return lf_gguf_fail_key(g, v, LFM2_E_FORMAT, "gguf.template",
                                "a chat template must be a string");
    }
    if (v->count > LF_MAX_TEMPLATE) {
        return lf_gguf_fail_key(g, v, LFM2_E_FORMAT, "gguf.template",
                                "the template is larger than 4 MiB, the limit");
    }
    return add(source, name, strlen(name), v->key, (const char *)v->data, (size_t)v->count);
}

int32_t lf_templates_from_gguf(lf_source *source, const lf_gguf *g)
{
    static const char key[] = "tokenizer.chat_template";
    enum { PREFIX = sizeof key };
    const lf_gguf_value *main = lf_gguf_find(g, key);
    if (main != NULL) {
        LF_TRY(add_value(source, g, main, default_name));
    }
    for (uint32_t i = 0; i < g->n_values; i++) {
        const lf_gguf_value *v = &g->values[i];
        if (v->key_len > PREFIX && memcmp(v->key, key, PREFIX - 1) == 0 &&
            v->key[PREFIX - 1] == '.') {
            LF_TRY(add_value(source, g, v, v->key + PREFIX));
        }
    }
    return LFM2_OK;
}

/* ---- tokenizer_config.json: a string, or a list of {name, template} ---- */

static int32_t add_string(lf_source *source, const char *name, size_t name_len, const lf_json *text)
{
    static const char origin[] = "tokenizer_config.json";
    if (text->len > LF_MAX_TEMPLATE) {
        return lf_fail(LFM2_E_FORMAT, "tokenizer.template",
                       "%s: %s: key 'chat_template': offset %llu: the template is larger than "
                       "4 MiB, the limit",
                       source->path, origin, (unsigned long long)text->offset);
    }
    return add(source, name, name_len, origin, text->text, text->len);
}

int32_t lf_templates_from_json(lf_source *source, const lf_json *settings)
{
    const lf_json *v = lf_config_member(settings, "chat_template");
    if (v == NULL || source->vocab.n_templates > 0) {
        return LFM2_OK;
    }
    if (v->kind == LF_JSON_STRING) {
        return add_string(source, default_name, strlen(default_name), v);
    }
    for (const lf_json *c = v->kind == LF_JSON_ARRAY ? v->child : NULL; c != NULL; c = c->next) {
        const lf_json *name = lf_json_get(c, "name");
        const lf_json *text = lf_json_get(c, "template");
        if (name != NULL && text != NULL && name->kind == LF_JSON_STRING &&
            text->kind == LF_JSON_STRING) {
            LF_TRY(add_string(source, name->text, name->len, text));
        }
    }
    return LFM2_OK;
}

/* ---- Folders: chat_template.jinja and additional_chat_templates/NAME.jinja ---- */

static const char folder[] = "additional_chat_templates";
static const char ending[] = ".jinja";

enum { ENDING = sizeof ending - 1 };

/* In alphabetical order; what does not fit is left out. */
typedef struct names {
    uint32_t n;
    char name[LF_MAX_TEMPLATES][NAME_BYTES + 1]; /* without the ending */
} names;

static int32_t visit(void *user, const char *name)
{
    names *list = user;
    size_t n = strlen(name);
    if (name[0] == '.' || n <= ENDING || n - ENDING > NAME_BYTES ||
        strcmp(name + n - ENDING, ending) != 0 || list->n == LF_MAX_TEMPLATES) {
        return LFM2_OK;
    }
    char short_name[NAME_BYTES + 1] = "";
    memcpy(short_name, name, n - ENDING);
    uint32_t at = list->n++;
    for (; at > 0 && strcmp(short_name, list->name[at - 1]) < 0; at--) {
        memcpy(list->name[at], list->name[at - 1], sizeof short_name);
    }
    memcpy(list->name[at], short_name, sizeof short_name);
    return LFM2_OK;
}

static int32_t add_file(lf_source *source, const char *file, const char *name)
{
    const char *path = NULL;
    char *text = NULL;
    size_t len = 0;
    LF_TRY(lf_folder_join(source, file, &path));
    LF_TRY(lf_folder_read(source, path, LF_MAX_TEMPLATE, &text, &len));
    int32_t status = add(source, name, strlen(name), file, text, len);
    lf_free(&source->alloc, text, len, 1);
    return status;
}

static int32_t add_files(lf_source *source, names *list)
{
    const char *path = NULL;
    LF_TRY(lf_folder_join(source, folder, &path));
    LF_TRY(lf_os_list(path, MAX_ENTRIES, visit, list));
    for (uint32_t i = 0; i < list->n; i++) {
        char file[sizeof folder + NAME_BYTES + sizeof ending];
        snprintf(file, sizeof file, "%s/%s%s", folder, list->name[i], ending);
        LF_TRY(add_file(source, file, list->name[i]));
    }
    return LFM2_OK;
}

int32_t lf_templates_from_folder(lf_source *source)
{
    static const char file[] = "chat_template.jinja";
    bool has = false;
    LF_TRY(lf_folder_has(source, file, &has, NULL));
    if (has) {
        LF_TRY(add_file(source, file, default_name));
    }
    LF_TRY(lf_folder_has(source, folder, &has, NULL));
    if (!has) {
        return LFM2_OK;
    }
    void *p = NULL;
    LF_TRY(lf_new_zero(&source->alloc, 1, sizeof(names), "templates", &p));
    int32_t status = add_files(source, p);
    lf_free(&source->alloc, p, 1, sizeof(names));
    return status;
}
