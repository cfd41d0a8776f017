/* SPDX-License-Identifier: Apache-2.0 */
/* Expressions of the spellings of JSON strings, without quotes. A character is written raw or with
 * any escape that JSON has for it; spellings of different characters differ, so intersection,
 * complement and counting of texts are those of their spellings. */
#include "text/grammar/schema_internal.h"

#include <string.h>

enum { SURROGATES = 0xD800, AFTER_SURROGATES = 0xE000, LAST = 0x10FFFF };

/* ---- Characters ---- */

static lf_rx hex_digits(lf_rx_set *rx, uint32_t first, uint32_t last)
{
    uint64_t bits[4] = {0};
    for (uint32_t d = first; d <= last; d++) {
        const uint8_t digit = (uint8_t) "0123456789abcdef"[d];
        bits[digit >> 6] |= (uint64_t)1 << (digit & 63);
        if (d > 9) {
            const uint8_t upper = digit & 0xDF;
            bits[upper >> 6] |= (uint64_t)1 << (upper & 63);
        }
    }
    return lf_rx_byte_class(rx, bits);
}

/* The hexadecimal numbers first .. last of n <= 4 digits. */
static lf_rx hex_numbers(lf_rx_set *rx, uint32_t first, uint32_t last, uint32_t n)
{
    lf_rx out = LF_RX_NONE;
    /* One block for each digit in which the bounds differ from those of their prefix: the numbers
     * that share k digits with a bound and differ in the next. */
    while (first <= last) {
        uint32_t free = 0; /* low digits that take all values */
        uint32_t size = 1;
        while (free + 1 <= n && first % (size * 16) == 0 && first + (size * 16 - 1) <= last) {
            free++;
            size *= 16;
        }
        /* Numbers that differ in one more digit. */
        uint32_t high = first / size;
        uint32_t count = 1;
        while (free < n && (high + count) % 16 != 0 && (high + count) * size + (size - 1) <= last) {
            count++;
        }
        lf_rx text = lf_rx_repeat(rx, hex_digits(rx, 0, 15), free, free);
        if (free < n) {
            text = lf_rx_concat(rx, hex_digits(rx, high % 16, high % 16 + count - 1), text);
            for (uint32_t d = free + 1; d < n; d++) {
                high /= 16;
                text = lf_rx_concat(rx, hex_digits(rx, high % 16, high % 16), text);
            }
        }
        out = lf_rx_alt(rx, out, text);
        first += count * size;
    }
    return out;
}

static lf_rx unit(lf_rx_set *rx, uint32_t first, uint32_t last)
{
    return lf_rx_concat(rx, lf_rx_text(rx, "\\u", 2), hex_numbers(rx, first, last, 4));
}

/* Code points above U+FFFF as two escapes. */
static lf_rx pairs(lf_rx_set *rx, uint32_t first, uint32_t last)
{
    lf_rx out = LF_RX_NONE;
    first -= 0x10000;
    last -= 0x10000;
    while (first <= last) {
        /* A whole range of high halves, or part of one. */
        const uint32_t high = first >> 10;
        uint32_t end = last;
        uint32_t high_end = high;
        if (first % 0x400 == 0 && last >= first + 0x3FF) {
            high_end = ((last + 1) >> 10) - 1;
            end = (high_end << 10) + 0x3FF;
        } else if (last >> 10 != high) {
            end = (high << 10) + 0x3FF;
        }
        out = lf_rx_alt(rx, out,
                        lf_rx_concat(rx, unit(rx, 0xD800 + high, 0xD800 + high_end),
                                     unit(rx, 0xDC00 + (first & 0x3FF), 0xDC00 + (end & 0x3FF))));
        first = end + 1;
    }
    return out;
}

/* Python's texts contain both quotes raw; lf_schema_quoted excludes one of them. */
static lf_rx raw(const lf_schema *s, uint32_t first, uint32_t last)
{
    static const uint32_t gaps[][2] = {{0, 0x1F}, {'"', '"'}, {'\\', '\\'}};
    lf_rx_set *rx = s->rx;
    lf_rx out = LF_RX_NONE;
    for (size_t i = 0; i < sizeof gaps / sizeof *gaps; i++) {
        if (s->options->python && gaps[i][0] == '"') {
            continue;
        }
        if (first <= last && gaps[i][0] <= last && gaps[i][1] >= first) {
            if (gaps[i][0] > first) {
                out = lf_rx_alt(rx, out, lf_rx_code_points(rx, first, gaps[i][0] - 1));
            }
            first = gaps[i][1] + 1;
        }
    }
    return first <= last ? lf_rx_alt(rx, out, lf_rx_code_points(rx, first, last)) : out;
}

/* Python has no escape for the slash, JSON none for the single quote. */
static lf_rx short_escapes(const lf_schema *s, uint32_t first, uint32_t last)
{
    static const char from[] = "\"\\/\b\f\n\r\t'";
    static const char to[] = "\"\\/bfnrt'";
    lf_rx_set *rx = s->rx;
    uint64_t bits[4] = {0};
    bool any = false;
    for (size_t i = 0; i < sizeof from - 1; i++) {
        if (to[i] != (s->options->python ? '/' : '\'') && (uint32_t)from[i] >= first &&
            (uint32_t)from[i] <= last) {
            bits[to[i] >> 6] |= (uint64_t)1 << (to[i] & 63);
            any = true;
        }
    }
    return any ? lf_rx_concat(rx, lf_rx_text(rx, "\\", 1), lf_rx_byte_class(rx, bits)) : LF_RX_NONE;
}

/* The spellings of code points first .. last, which are no surrogates. */
static lf_rx spell_range(const lf_schema *s, uint32_t first, uint32_t last)
{
    lf_rx_set *rx = s->rx;
    lf_rx out = lf_rx_alt(rx, raw(s, first, last), short_escapes(s, first, last));
    if (first <= 0xFFFF) {
        out = lf_rx_alt(rx, out, unit(rx, first, last < 0xFFFF ? last : 0xFFFF));
    }
    if (last > 0xFFFF && !s->options->python) {
        out = lf_rx_alt(rx, out, pairs(rx, first > 0x10000 ? first : 0x10000, last));
    }
    return out;
}

lf_rx lf_schema_spell(lf_schema *s, uint32_t first, uint32_t last)
{
    lf_rx out = LF_RX_NONE;
    if (first == last && first < 128 && s->ascii[first] != LF_RX_NONE) {
        return s->ascii[first];
    }
    if (first < SURROGATES) {
        out = spell_range(s, first, last < SURROGATES ? last : SURROGATES - 1);
    }
    if (last >= AFTER_SURROGATES) {
        first = first < AFTER_SURROGATES ? AFTER_SURROGATES : first;
        out = lf_rx_alt(s->rx, out, spell_range(s, first, last));
    }
    if (first == last && first < 128) {
        s->ascii[first] = out;
    }
    return out;
}

static lf_rx any_character(lf_schema *s)
{
    if (s->character == LF_RX_NONE) {
        s->character = lf_schema_spell(s, 0, LAST);
    }
    return s->character;
}

lf_rx lf_schema_any_text(lf_schema *s)
{
    if (s->any_text == LF_RX_NONE) {
        s->any_text = lf_rx_repeat(s->rx, any_character(s), 0, LF_RX_UNLIMITED);
    }
    return s->any_text;
}

lf_rx lf_schema_text_length(lf_schema *s, uint32_t min, uint32_t max)
{
    return lf_rx_repeat(s->rx, any_character(s), min, max);
}

lf_rx lf_schema_text_not(lf_schema *s, lf_rx text)
{
    return lf_rx_and(s->rx, lf_schema_any_text(s), lf_rx_not(s->rx, text));
}

/* Texts in which `quote` follows a backslash wherever it is. */
static lf_rx without(lf_schema *s, char quote)
{
    uint64_t bits[4] = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX};
    uint64_t all[4] = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX};
    bits[quote / 64] &= ~((uint64_t)1 << quote % 64);
    bits['\\' / 64] &= ~((uint64_t)1 << '\\' % 64);
    lf_rx pair = lf_rx_concat(s->rx, lf_rx_text(s->rx, "\\", 1), lf_rx_byte_class(s->rx, all));
    lf_rx one = lf_rx_alt(s->rx, lf_rx_byte_class(s->rx, bits), pair);
    return lf_rx_repeat(s->rx, one, 0, LF_RX_UNLIMITED);
}

static lf_rx in_quotes(lf_schema *s, char quote, lf_rx text)
{
    lf_rx mark = lf_rx_text(s->rx, &quote, 1);
    return lf_rx_concat(s->rx, mark, lf_rx_concat(s->rx, text, mark));
}

lf_rx lf_schema_quoted(lf_schema *s, lf_rx text)
{
    if (!s->options->python) {
        return in_quotes(s, '"', text);
    }
    if (s->without_single == LF_RX_NONE) {
        s->without_single = without(s, '\'');
        s->without_double = without(s, '"');
    }
    return lf_rx_alt(s->rx, in_quotes(s, '\'', lf_rx_and(s->rx, text, s->without_single)),
                     in_quotes(s, '"', lf_rx_and(s->rx, text, s->without_double)));
}

/* ---- Single texts ---- */

typedef struct sink {
    char *text;
    size_t n;
} sink;

static void count(void *user, const char *text, size_t len)
{
    (void)text;
    ((sink *)user)->n += len;
}

static void copy(void *user, const char *text, size_t len)
{
    sink *out = user;
    memcpy(out->text + out->n, text, len);
    out->n += len;
}

int32_t lf_schema_quote(lf_schema *s, const char *text, size_t len, const char **out,
                        size_t *out_len)
{
    sink to = {0};
    lf_json_writer writer = {.write = count, .user = &to};
    lf_json_write_string(&writer, text, len);
    void *memory = NULL;
    LF_TRY(lf_schema_new(s, to.n, 1, &memory));
    to = (sink){.text = memory};
    writer.write = copy;
    lf_json_write_string(&writer, text, len);
    *out = to.text;
    *out_len = to.n;
    return LFM2_OK;
}

int32_t lf_schema_matches(lf_schema *s, lf_rx rx, const char *text, size_t len, bool *out)
{
    const char *quoted = NULL;
    size_t n = 0;
    LF_TRY(lf_schema_quote(s, text, len, &quoted, &n));
    LF_TRY(lf_schema_step(s, n));
    for (size_t i = 1; i + 1 < n && rx != LF_RX_NONE; i++) {
        rx = lf_rx_derive(s->rx, rx, (uint8_t)quoted[i]);
    }
    *out = lf_rx_nullable(s->rx, rx);
    return lf_rx_status(s->rx);
}
