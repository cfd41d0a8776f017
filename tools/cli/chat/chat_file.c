/* SPDX-License-Identifier: Apache-2.0 */
/* Conversations in files. */
#include "cli/chat/chat_file.h"
#include "cli/support/outfile.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

/* What a saved file begins with. */
static const char beginning[] = "{\"messages\":";
enum { BEGINNING = sizeof beginning - 1 };

/* Fails before a pipe is opened, which could wait forever, or a large file is read. */
static int check_input(const char *path)
{
    struct stat info;
    if (stat(path, &info) != 0) {
        return fail("cli.input", "%s: %s", path, strerror(errno));
    }
    if (!S_ISREG(info.st_mode)) {
        return fail("cli.input", "%s: is not a regular file", path);
    }
    if (info.st_size > INPUT_LIMIT) {
        return fail("cli.input.size", "%s: the file exceeds the limit of %d MiB", path,
                    INPUT_LIMIT >> 20);
    }
    return EXIT_OK;
}

/* Whether the file may be replaced: it does not exist, is empty, or is a saved conversation. So a
 * wrong name does not destroy a model. */
static int check_replaced(const char *path)
{
    char start[BEGINNING];
    struct stat info;
    if (stat(path, &info) != 0 || !S_ISREG(info.st_mode)) {
        return EXIT_OK; /* outfile_open_private checks the rest */
    }
    FILE *stream = fopen(path, "rb");
    if (stream == NULL) {
        return fail("cli.output", "%s: %s", path, strerror(errno));
    }
    size_t n = fread(start, 1, sizeof start, stream);
    bool failed = ferror(stream) != 0;
    fclose(stream);
    if (!failed && (n == 0 || (n == BEGINNING && memcmp(start, beginning, n) == 0))) {
        return EXIT_OK;
    }
    return fail("cli.output", "%s: exists and is not a saved conversation: choose another name",
                path);
}

int chat_file_save(const conversation *talk, const char *path)
{
    outfile file = {.path = path};
    text_buffer messages = {0};
    int code = message_list_array(&talk->messages, 0, 0, &messages);
    code = code == EXIT_OK ? check_replaced(path) : code;
    code = code == EXIT_OK ? outfile_open_private(path, &file) : code;
    code = code == EXIT_OK ? outfile_write(&file, beginning, BEGINNING) : code;
    code = code == EXIT_OK ? outfile_write(&file, messages.data, messages.len) : code;
    if (talk->tools.len > 0) {
        code = code == EXIT_OK ? outfile_write(&file, ",\"tools\":", 9) : code;
        code = code == EXIT_OK ? outfile_write(&file, talk->tools.data, talk->tools.len) : code;
    }
    code = code == EXIT_OK ? outfile_write(&file, "}\n", 2) : code;
    code = code == EXIT_OK ? outfile_commit(&file) : code;
    outfile_discard(&file);
    text_free(&messages);
    return code;
}

int chat_file_load(conversation *talk, const char *path, const text_buffer *tools, size_t *n_tokens)
{
    text_buffer array = {0};
    conversation loaded = {.format = talk->format};
    int code = check_input(path);
    code = code == EXIT_OK ? messages_read(path, &array, &loaded.tools) : code;
    code = code == EXIT_OK ? message_list_add_array(&loaded.messages, &array) : code;
    if (code == EXIT_OK && loaded.tools.len == 0) {
        code = text_append(&loaded.tools, tools->data, tools->len);
    }
    if (code == EXIT_OK) {
        code = conversation_count(&loaded, n_tokens);
    }
    if (code == EXIT_OK) {
        const message_list messages = talk->messages;
        const text_buffer before = talk->tools;
        talk->messages = loaded.messages;
        talk->tools = loaded.tools;
        talk->n_turns = 0;
        loaded.messages = messages;
        loaded.tools = before;
    }
    message_list_free(&loaded.messages);
    text_free(&loaded.tools);
    text_free(&array);
    return code;
}
