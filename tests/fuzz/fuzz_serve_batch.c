/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as the input of `lfm2 batch`: each line becomes a request or an error, and its answer
 * is one line of JSON that the output accepts. Any bytes as an output of an earlier run: it is
 * refused, or complete lines stay. */
#include "cli/batch/batch_line.h"
#include "cli/batch/batch_output.h"
#include "fuzz/mutate.h"
#include "fuzz/target.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Messages, which the program prints. */
int fail(const char *code, const char *format, ...)
{
    fuzz_must(code != NULL && format != NULL);
    return EXIT_FAILED;
}

void notice(const char *format, ...)
{
    fuzz_must(format != NULL);
}

int fail_usage(const char *command, const char *format, ...)
{
    fuzz_must(command != NULL && format != NULL);
    return EXIT_USAGE;
}

int fail_library(void)
{
    return EXIT_FAILED;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    uint64_t random = fuzz_random_of(seed);
    if (size < 2 || fuzz_one_in(&random, 2)) {
        return LLVMFuzzerMutate(data, size, max_size);
    }
    return 1 + fuzz_mutate_json(&random, data + 1, size - 1, max_size - 1);
}

static char path[] = "/tmp/lfm2-fuzz-batch-XXXXXX";

static void remove_file(void)
{
    unlink(path);
}

/* Writes a file with these bytes. */
static void write_file(const char *bytes, size_t len)
{
    static bool made;
    int fd = made ? -1 : mkstemp(path);
    if (fd >= 0) {
        made = true;
        atexit(remove_file);
        close(fd);
    }
    FILE *file = fopen(path, "wb");
    fuzz_must(file != NULL && fwrite(bytes, 1, len, file) == len);
    fuzz_must(fclose(file) == 0);
}

static uint64_t file_size(void)
{
    struct stat info;
    fuzz_must(stat(path, &info) == 0);
    return (uint64_t)info.st_size;
}

/* ---- Input ---- */

/* Answers a line, and checks the answer. */
static void check_line(batch_line *line, bool failed)
{
    lf_alloc alloc = lf_alloc_default();
    lf_arena arena;
    const lf_json *value = NULL;
    static const char body[] = "{\n\"a\":[1,\r\n2]}";
    if (line->error.code != NULL) {
        batch_line_answer_error(line);
    } else {
        fuzz_must(line->url[0] == '/' && line->body[0] == '{');
        fuzz_must(strlen(line->body) == line->body_len && line->custom_id_len > 0);
        batch_line_answer(line, failed ? 400 : 200, true, body, sizeof body - 1);
    }
    const json_out *out = &line->answer;
    fuzz_must(!out->failed && memchr(out->text, '\n', out->len) == out->text + out->len - 1);
    lf_arena_init(&arena, &alloc);
    fuzz_must(lf_json_parse(&arena, "answer", LFM2_E_TEXT, out->text, out->len, &value) == LFM2_OK);
    fuzz_must((line->custom_id == NULL) == (lf_json_get(value, "custom_id")->kind == LF_JSON_NULL));
    lf_arena_free(&arena);
}

/* Returns how many lines there are; *failed is how many report errors. `out` receives the answers.
 */
static uint64_t answer_lines(uint64_t *failed, json_out *out)
{
    batch_input in;
    uint64_t n = 0;
    fuzz_must(batch_input_open(path, &in) == EXIT_OK);
    for (;;) {
        batch_text text;
        batch_line *line = NULL;
        batch_next next = batch_input_next(&in, &text);
        if (next == BATCH_AT_END) {
            break;
        }
        if (next == BATCH_READ_MORE) {
            fuzz_must(batch_input_read(&in) == EXIT_OK);
            continue;
        }
        fuzz_must(batch_line_read(&text, 1, &line) == EXIT_OK && line->number == text.number);
        check_line(line, n % 3 == 1);
        *failed += line->failed;
        n++;
        out_raw(out, line->answer.text, line->answer.len);
        batch_line_free(line);
    }
    batch_input_close(&in);
    return n;
}

static void use_input(const uint8_t *data, size_t size)
{
    json_out answers = {0};
    uint64_t failed = 0;
    batch_output output;
    write_file((const char *)data, size);
    uint64_t n = answer_lines(&failed, &answers);
    fuzz_must(!answers.failed);
    if (n > 0) {
        write_file(answers.text, answers.len);
        fuzz_must(batch_output_open(path, &output) == EXIT_OK);
        fuzz_must(output.n_done == n && output.n_failed == failed && file_size() == answers.len);
        batch_output_close(&output);
    }
    json_out_free(&answers);
}

/* ---- Output ---- */

static void use_output(const uint8_t *data, size_t size)
{
    batch_output output;
    write_file((const char *)data, size);
    int code = batch_output_open(path, &output);
    uint64_t n = output.n_done;
    batch_output_close(&output);
    uint64_t left = file_size();
    if (code == EXIT_OK) {
        fuzz_must(left <= size && (left == 0 || data[left - 1] == '\n'));
        fuzz_must(size - left == 0 || memchr(data + left, '\n', size - left) == NULL);
        fuzz_must(batch_output_open(path, &output) == EXIT_OK);
        fuzz_must(output.n_done == n && file_size() == left);
        batch_output_close(&output);
    } else {
        fuzz_must(left == size);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const syntax[] = {"", NULL};
    if (size > 0) {
        if (data[0] % 2 == 0) {
            use_input(data + 1, size - 1);
        } else {
            use_output(data + 1, size - 1);
        }
    }
    fuzz_count(LFM2_OK, syntax);
    return 0;
}
