/* SPDX-License-Identifier: Apache-2.0 */
/* Suggests an option or a command for a misspelled one. */
#include "cli/commands.h"

#include <stdio.h>
#include <string.h>

enum { MAX_LENGTH = 48 };

static uint32_t min_u32(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* Optimal string alignment distance. Only the last three rows of its matrix are kept. */
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
            now[j] = min_u32(change, min_u32(last[j], now[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                now[j] = min_u32(now[j], before[j - 2] + 1);
            }
        }
        uint32_t *free_row = before;
        before = last;
        last = now;
        now = free_row;
    }
    return last[n_b];
}

/* The cost of correcting `typed` to `name`; UINT32_MAX if it is not a plausible misspelling. A
 * prefix of `name` costs 1. Case does not matter, and '_' equals '-'. */
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
    /* A prefix with one error. */
    if (n_typed >= 5 && n_typed < n_name && edit_distance(a, n_typed, name, n_typed + 1) <= 1) {
        return 2;
    }
    return UINT32_MAX;
}

/* Skips leading dashes. */
static const char *skip_dashes(const char *name, size_t *len)
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

/* Keeps `name` if it costs less than the best one so far. */
static void consider(best *b, const char *typed, size_t n_typed, const char *name, size_t len)
{
    size_t n_name = len;
    const char *at = skip_dashes(name, &n_name);
    uint32_t c = n_name > 1 ? cost(typed, n_typed, at, n_name) : UINT32_MAX;
    if (c < b->cost) {
        *b = (best){c, at, n_name};
    }
}

bool option_suggest(const command *self, const char *typed, size_t len, char *out, size_t size)
{
    best b = {.cost = UINT32_MAX};
    typed = skip_dashes(typed, &len);
    for (uint32_t g = 0; g < self->n_groups; g++) {
        const opt_group *group = &self->groups[g];
        for (const opt_spec *spec = group->specs; spec->type != OPT_END; spec++) {
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

const command *command_suggest(const char *typed)
{
    for (uint32_t i = 0; i < n_commands; i++) {
        if (has_word(commands[i]->also, typed, strlen(typed))) {
            return commands[i];
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
