/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a JSON Schema, whose grammar then chooses texts: each is JSON. The first byte
 * chooses white space, leniency and the texts. */
#include "fuzz/mutate.h"
#include "fuzz/target.h"
#include "text/grammar/schema.h"
#include "text/grammar/token_trie.h"

#include <string.h>

enum { LONGEST = 400, TEXTS = 3 };

/* Sections of schemas to insert. */
/* clang-format off */
static const char *const sections[] = {
    "{\"type\": \"object\"}", "{\"type\": [\"integer\", \"string\"]}",
    "\"properties\": {\"a\": ",
    "\"required\": [\"a\", \"b\"]", "\"additionalProperties\": ",
    "\"patternProperties\": {\"^a\": ",
    "\"anyOf\": [", "\"oneOf\": [", "\"allOf\": [", "\"not\": ", "\"if\": ", "\"then\": ",
    "\"$ref\": \"#\"", "\"$ref\": \"#/$defs/a\"", "\"$defs\": {\"a\": ", "\"$anchor\": \"x\"",
    "\"$ref\": \"#x\"", "\"$id\": \"http://a.example/\"", "\"items\": ", "\"prefixItems\": [",
    "\"contains\": ", "\"minContains\": 2", "\"uniqueItems\": true", "\"minItems\": 1",
    "\"maxItems\": 3", "\"minProperties\": 1", "\"maxProperties\": 2", "\"propertyNames\": ",
    "\"dependentRequired\": {\"a\": [\"b\"]}", "\"dependentSchemas\": {\"a\": ", "\"const\": ",
    "\"enum\": [1, \"a\", null, {\"a\": []}]", "\"minimum\": -1.5", "\"maximum\": 1e3",
    "\"exclusiveMinimum\": 0", "\"multipleOf\": 0.25", "\"pattern\": \"^[a-c]+(x|y)?$\"",
    "\"minLength\": 1", "\"maxLength\": 4", "\"format\": \"date\"", "\"format\": \"ipv6\"",
    "\"unevaluatedProperties\": false", "{", "}", "[", "]", ", ", "true", "false", "{}", "1",
    "\"$schema\": \"http://json-schema.org/draft-04/schema#\"",
};
/* clang-format on */

/* Changes JSON as JSON, or inserts or removes a section. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    uint64_t random = fuzz_random_of(seed);
    if (size < 2 || fuzz_one_in(&random, 5)) {
        return LLVMFuzzerMutate(data, size, max_size);
    }
    if (fuzz_one_in(&random, 2)) {
        return 1 + fuzz_mutate_json(&random, data + 1, size - 1, max_size - 1);
    }
    size_t at = 1 + (size_t)fuzz_integer(&random, 7) % size;
    if (fuzz_one_in(&random, 3)) {
        size_t len = (size_t)(random % 12) + 1;
        len = len < size - at ? len : size - at;
        memmove(data + at, data + at + len, size - at - len);
        return size - len;
    }
    const char *section = sections[(random >> 8) % (sizeof sections / sizeof *sections)];
    size_t len = strlen(section);
    if (size + len > max_size) {
        return size;
    }
    memmove(data + at + len, data + at, size - at);
    memcpy(data + at, section, len);
    return size + len;
}

/* A byte that JSON often has; near the end of a long text one that ends values. */
static char some_byte(uint64_t *random, size_t len)
{
    static const char usual[] = "\"}]},:{[0123456789-.eEabcxyzfnrtuls_ \\\n";
    static const char ends[] = "\"}]01enl,: ";
    *random = *random * 6364136223846793005u + 1442695040888963407u;
    const uint32_t r = (uint32_t)(*random >> 33);
    return len > LONGEST / 2 ? ends[r % (sizeof ends - 1)] : usual[r % (sizeof usual - 1)];
}

static void choose_text(lf_compiled *matcher, const lf_alloc *alloc, uint64_t random)
{
    char text[LONGEST];
    size_t len = 0;
    lf_match *match = NULL;
    const lf_json *value = NULL;
    lf_arena arena;
    if (lf_match_create(matcher, &match) != LFM2_OK) {
        return;
    }
    for (int i = 0; i < 4 * LONGEST && len < LONGEST; i++) {
        text[len] = some_byte(&random, len);
        if (lf_match_accept_bytes(match, &text[len], 1) != LFM2_OK) {
            continue;
        }
        len++;
        if (lf_match_complete(match)) {
            lf_arena_init(&arena, alloc);
            const int32_t status = lf_json_parse(&arena, "text", LFM2_E_TEXT, text, len, &value);
            /* The grammar does not compare the names of additional properties. */
            fuzz_must(status == LFM2_OK || strcmp(lf_fail_code(), "json.duplicate") == 0);
            lf_arena_free(&arena);
        }
    }
    lf_match_free(match);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const syntax[] = {"json.", NULL};
    static const lf_token_trie no_tokens = {.depth = 1};
    lf_alloc alloc = fuzz_memory();
    lf_grammar_limits limits;
    lf_grammar *grammar = NULL;
    lf_compiled *matcher = NULL;
    lf_node root = LF_NODE_NONE;
    const uint8_t first = size > 0 ? data[0] : 0;
    lf_grammar_limits_default(&limits);
    limits.compile_steps = 200000;
    limits.token_steps = 50000;
    limits.memory = (size_t)8 << 20;
    const lf_schema_options options = {.alloc = &alloc,
                                       .limits = &limits,
                                       .space = (lf_schema_space)(first % 3),
                                       .lenient = (first & 4) != 0};
    fuzz_memory_begin(size);
    fuzz_memory_allow((size_t)16 << 20);
    int32_t status = lf_grammar_create(&alloc, &limits, &grammar);
    fuzz_must(status == LFM2_OK);
    status = lf_schema_build(grammar, &options, size > 0 ? (const char *)data + 1 : "",
                             size > 0 ? size - 1 : 0, &root);
    if (status == LFM2_OK) {
        status = lf_compiled_create(grammar, root, &no_tokens, &matcher);
    } else {
        lf_grammar_free(grammar);
    }
    fuzz_count(status, syntax);
    if (status == LFM2_OK) {
        for (uint64_t i = 0; i < TEXTS; i++) {
            choose_text(matcher, &alloc, first * TEXTS + i);
        }
    } else {
        fuzz_must(status == LFM2_E_TEXT || status == LFM2_E_UNSUPPORTED || status == LFM2_E_LIMIT);
    }
    lf_compiled_free(matcher);
    fuzz_memory_end();
    return 0;
}
