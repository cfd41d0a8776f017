/* SPDX-License-Identifier: Apache-2.0 */
/* Reads lines {"name": ..., "schema": ..., "tests": [{"data": ..., "valid": ...}, ...]}, compiles
 * each schema and checks each instance. Prints totals; with -v also each schema that is refused and
 * each instance with another verdict. The instances are checked byte by byte, without a vocabulary.
 *   lfm2_schema_suite [-v] [-l] [-o] [--sample N] [--seed S] [--space json|compact|flexible] <
 * FILE.jsonl */
#include "support/schema_match.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct totals {
    size_t schemas, taken, passed, refused, invalid, limits;
    size_t instances, right, wrongly_accepted, wrongly_refused;
    double *times; /* of compiling, ms */
} totals;

typedef struct text {
    char *bytes;
    size_t len, capacity;
} text;

static void append(void *user, const char *bytes, size_t len)
{
    text *t = user;
    if (t->len + len > t->capacity) {
        t->capacity = 2 * (t->len + len) + 1024;
        t->bytes = realloc(t->bytes, t->capacity);
    }
    memcpy(t->bytes + t->len, bytes, len);
    t->len += len;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* ---- Samples ---- */

static uint64_t random_state = 1;

static uint32_t random_below(uint32_t n)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((random_state >> 33) % n);
}

/* A byte to try: mostly one that JSON often has; near the end of a long text one that ends values.
 */
static uint8_t some_byte(size_t len)
{
    static const char usual[] = "\"\"\"}]},:{[0123456789-.eE+abcdefgnrtuxyz_ T/@AZ\\";
    static const char ends[] = "\"\"}]},:01enrtua ";
    if (len > 300 && random_below(8) > 0) {
        return (uint8_t)ends[random_below(sizeof ends - 1)];
    }
    return random_below(4) > 0 ? (uint8_t)usual[random_below(sizeof usual - 1)]
                               : (uint8_t)random_below(256);
}

static void sample(lf_matcher *matcher, const char *name)
{
    text t = {0};
    lf_match *match = NULL;
    bool stuck = lf_match_create(matcher, &match) != LFM2_OK;
    while (!stuck && t.len < 4000) {
        if (lf_match_complete(match) && random_below(3) == 0) {
            break;
        }
        stuck = true;
        for (uint32_t i = 0; i < 3000 && stuck; i++) {
            const char byte = (char)(i < 2744 ? some_byte(t.len) : i - 2744);
            if (lf_match_accept_bytes(match, &byte, 1) == LFM2_OK) {
                append(&t, &byte, 1);
                stuck = false;
            }
        }
    }
    if (match != NULL && lf_match_complete(match)) {
        const lf_json_writer writer = {.write = append, .user = &(text){0}};
        text *line = writer.user;
        lf_json_write_string(&writer, t.bytes, t.len);
        printf("sample\t%s\t%.*s\n", name, (int)line->len, line->bytes);
        free(line->bytes);
    } else if (t.len < 4000) {
        printf("STUCK %s after %.*s: %s\n", name, (int)t.len, t.bytes, lf_fail_text());
    }
    lf_match_free(match);
    free(t.bytes);
}

static bool keep_order = false;
static uint32_t samples = 0;

static int show_ignored = 0;

static int32_t ignored(void *user, const char *pointer, const char *why)
{
    (void)user;
    if (show_ignored) {
        printf("ignored %s: %s\n", pointer, why);
    }
    return LFM2_OK;
}

static void one(const lf_json *line, const lft_schema *setup, bool verbose, totals *t)
{
    const lf_json *name = lf_json_get(line, "name");
    lf_matcher *matcher = NULL;
    bool pass = true;
    t->schemas++;
    text source = {0};
    const lf_json_writer writer = {.write = append, .user = &source};
    lf_json_write(&writer, lf_json_get(line, "schema"));
    const double start = now();
    const int32_t status = lft_schema_compile(setup, source.bytes, source.len, &matcher);
    t->times[t->schemas - 1] = now() - start;
    free(source.bytes);
    if (verbose) {
        printf("time %.3f %s\n", t->times[t->schemas - 1], name->text);
    }
    if (status != LFM2_OK) {
        t->refused++;
        t->invalid += status == LFM2_E_TEXT;
        t->limits += status == LFM2_E_LIMIT;
        if (verbose) {
            printf("refused %s [%s] %s\n", name->text, lf_fail_code(), lf_fail_text());
        }
        return;
    }
    t->taken++;
    for (const lf_json *c = lf_json_get(line, "tests")->child; c != NULL; c = c->next) {
        const bool valid = lf_json_get(c, "valid")->kind == LF_JSON_TRUE;
        int32_t error = LFM2_OK;
        const bool accepted =
            lft_schema_accepts(matcher, lf_json_get(c, "data"), keep_order, &error);
        t->instances++;
        t->right += accepted == valid;
        t->wrongly_accepted += accepted && !valid;
        t->wrongly_refused += !accepted && valid;
        pass = pass && accepted == valid;
        if (verbose && accepted != valid) {
            text shown = {0};
            const lf_json_writer to_shown = {.write = append, .user = &shown};
            lf_json_write(&to_shown, lf_json_get(c, "data"));
            printf("%s %s %.*s %s\n", accepted ? "ACCEPTED" : "rejected", name->text,
                   (int)shown.len, shown.bytes, error == LFM2_OK ? "" : lf_fail_text());
            free(shown.bytes);
        }
    }
    t->passed += pass;
    for (uint32_t i = 0; i < samples; i++) {
        sample(matcher, name->text);
    }
    lf_matcher_free(matcher);
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a;
    const double y = *(const double *)b;
    return (x > y) - (x < y);
}

static void report(totals *t)
{
    printf("%zu schemas: %zu taken, %zu passed, %zu refused (%zu invalid or empty, %zu limits)\n",
           t->schemas, t->taken, t->passed, t->refused, t->invalid, t->limits);
    printf("%zu instances: %zu right, %zu wrongly accepted, %zu wrongly refused\n", t->instances,
           t->right, t->wrongly_accepted, t->wrongly_refused);
    if (t->schemas > 0) {
        qsort(t->times, t->schemas, sizeof *t->times, compare);
        printf("compile ms: p50 %.3f, p99 %.3f, most %.3f\n", t->times[t->schemas / 2],
               t->times[t->schemas * 99 / 100], t->times[t->schemas - 1]);
    }
}

int main(int argc, char **argv)
{
    lft_schema setup;
    lft_schema_init(&setup);
    setup.options.ignored = ignored;
    bool verbose = false;
    totals t = {0};
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        verbose = verbose || strcmp(argv[i], "-v") == 0;
        setup.options.lenient = setup.options.lenient || strcmp(argv[i], "-l") == 0;
        keep_order = keep_order || strcmp(argv[i], "-o") == 0;
        show_ignored = show_ignored || strcmp(argv[i], "-i") == 0;
        if (strcmp(argv[i], "--sample") == 0) {
            samples = (uint32_t)strtoul(value, NULL, 10);
        }
        if (strcmp(argv[i], "--seed") == 0) {
            random_state = strtoul(value, NULL, 10);
        }
        if (strcmp(argv[i], "--space") == 0) {
            setup.options.space = strcmp(value, "json") == 0      ? LF_SCHEMA_SPACE_JSON
                                  : strcmp(value, "compact") == 0 ? LF_SCHEMA_SPACE_COMPACT
                                                                  : LF_SCHEMA_SPACE_FLEXIBLE;
        }
    }
    char *line = NULL;
    size_t capacity = 0;
    size_t n_times = 0;
    for (ssize_t len; (len = getline(&line, &capacity, stdin)) > 0;) {
        const lf_json *value = NULL;
        lf_arena arena;
        if (t.schemas == n_times) {
            n_times = 2 * n_times + 1024;
            t.times = realloc(t.times, n_times * sizeof *t.times);
        }
        lf_arena_init(&arena, &setup.alloc);
        if (lf_json_parse(&arena, "line", LFM2_E_TEXT, line, (size_t)len, &value) != LFM2_OK) {
            printf("a line cannot be read: %s\n", lf_fail_text());
        } else {
            one(value, &setup, verbose, &t);
        }
        lf_arena_free(&arena);
    }
    report(&t);
    free(line);
    free(t.times);
    return 0;
}
