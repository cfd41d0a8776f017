/* SPDX-License-Identifier: Apache-2.0 */
/* Which option or command a word that is neither was probably meant to be. */
#include "cli/options/options.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { MAX_LENGTH = 48 };

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* Optimal string alignment: three rows of the table are enough. */
uint32_t edit_distance(const char *a, size_t n_a, const char *b, size_t n_b)
{
    uint32_t rows[3][MAX_LENGTH + 1];
    if (n_a > MAX_LENGTH || n_b > MAX_LENGTH) {
        return UINT32_MAX;
    }
    uint32_t *before = rows[0];
    uint32_t *last = rows[1];
    uint32_t *now = rows[2];
    for (size_t j = 0; j <= n_b; j++) {
        last[j] = (uint32_t)j;
    }
    for (size_t i = 1; i <= n_a; i++) {
        now[0] = (uint32_t)i;
        for (size_t j = 1; j <= n_b; j++) {
            uint32_t change = last[j - 1] + (a[i - 1] != b[j - 1]);
            now[j] = least(change, least(last[j], now[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                now[j] = least(now[j], before[j - 2] + 1);
            }
        }
        uint32_t *free_row = before;
        before = last;
        last = now;
        now = free_row;
    }
    return last[n_b];
}

/* How far `name` is from what was typed; UINT32_MAX: too far to be meant. A beginning counts as
 * near; upper and lower case are the same, and so are '_' and '-'. */
static uint32_t cost(const char *typed, size_t n_typed, const char *name, size_t n_name)
{
    char a[MAX_LENGTH] = {0};
    if (n_typed > MAX_LENGTH || n_name > MAX_LENGTH) {
        return UINT32_MAX;
    }
    for (size_t i = 0; i < n_typed; i++) {
        char c = typed[i];
        a[i] = (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c == '_' ? '-' : c);
    }
    if (n_typed >= 3 && n_typed < n_name && memcmp(a, name, n_typed) == 0) {
        return 1;
    }
    size_t shorter = n_typed < n_name ? n_typed : n_name;
    uint32_t most = shorter < 3 ? 1 : (uint32_t)shorter / 3;
    uint32_t distance = edit_distance(a, n_typed, name, n_name);
    if (distance <= most && distance < shorter) {
        return distance;
    }
    /* A beginning with one mistake. */
    if (n_typed >= 5 && n_typed < n_name && edit_distance(a, n_typed, name, n_typed + 1) <= 1) {
        return 2;
    }
    return UINT32_MAX;
}

/* Without the dashes in front. */
static const char *bare(const char *name, size_t *len)
{
    while (*len > 0 && *name == '-') {
        name++;
        --*len;
    }
    return name;
}

typedef struct best {
    uint32_t cost;
    const char *name;
    size_t len;
} best;

static void consider(best *b, const char *typed, size_t n_typed, const char *name, size_t len)
{
    size_t n_bare = len;
    const char *at = bare(name, &n_bare);
    uint32_t c = n_bare > 1 ? cost(typed, n_typed, at, n_bare) : UINT32_MAX;
    if (c < b->cost) {
        *b = (best){c, at, n_bare};
    }
}

bool option_near(const command *self, const char *typed, size_t len, char *out, size_t size)
{
    best b = {.cost = UINT32_MAX};
    typed = bare(typed, &len);
    for (uint32_t g = 0; g < self->n_groups; g++) {
        const opt_group *group = &self->groups[g];
        for (uint32_t i = 0; i < group->n; i++) {
            const opt_spec *spec = &group->specs[i];
            if (!option_is_shown(group, spec)) {
                continue;
            }
            consider(&b, typed, len, spec->name, strlen(spec->name));
            for (const char *alias = spec->aliases; alias != NULL && *alias != 0;) {
                size_t n = strcspn(alias, " ");
                if (alias[1] == '-') {
                    consider(&b, typed, len, alias, n);
                }
                alias += n + strspn(alias + n, " ");
            }
        }
    }
    consider(&b, typed, len, "help", 4);
    if (b.cost == UINT32_MAX) {
        return false;
    }
    snprintf(out, size, "--%.*s", (int)b.len, b.name);
    return true;
}

const command *command_near(const char *typed)
{
    /* What other programs call it. */
    static const struct {
        const char *name;
        const command *meant;
    } others[] = {{"show", &cmd_inspect},    {"info", &cmd_inspect},     {"generate", &cmd_run},
                  {"completion", &cmd_run},  {"cli", &cmd_chat},         {"ppl", &cmd_perplexity},
                  {"encode", &cmd_tokenize}, {"decode", &cmd_detokenize}};
    for (uint32_t i = 0; i < COUNT(others); i++) {
        if (strcasecmp(others[i].name, typed) == 0) {
            return others[i].meant;
        }
    }
    uint32_t lowest = UINT32_MAX;
    const command *found = NULL;
    for (uint32_t i = 0; i < n_commands; i++) {
        uint32_t c = cost(typed, strlen(typed), commands[i]->name, strlen(commands[i]->name));
        if (c < lowest) {
            lowest = c;
            found = commands[i];
        }
    }
    return found;
}
