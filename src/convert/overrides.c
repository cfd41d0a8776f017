/* SPDX-License-Identifier: Apache-2.0 */
/* The types that the caller gives to tensors by name: "REGEX=TYPE", of which the first match
 * counts. */
#include "convert/overrides.h"

#include "common/utf8.h"

#include <string.h>

static int32_t refuse(const char *text, const char *what)
{
    lf_shown shown;
    return lf_fail(LFM2_E_ARGUMENT, "convert.tensor_type", "tensor type '%s': %s",
                   lf_show(&shown, text, strlen(text)), what);
}

static int32_t parse(lf_arena *arena, const char *text, lf_override *out)
{
    if (text == NULL) {
        return lf_fail(LFM2_E_ARGUMENT, "convert.tensor_type", "a tensor type is NULL");
    }
    const char *equals = strchr(text, '=');
    if (equals == NULL || equals == text || equals[1] == '\0') {
        return refuse(text, "it must have the form REGEX=TYPE");
    }
    const lf_type_info *type = lf_type_find(equals + 1);
    float unused = 0.0f;
    if (type == NULL || !lf_encode_row(type->type, &unused, &unused, 0)) {
        return refuse(text, "this type cannot be written; allowed: f32, f16, bf16, q8_0, q6_k, "
                            "q5_k, q5_1, q5_0, q4_k, q4_1, q4_0, iq4_nl, iq4_xs, q3_k and q2_k");
    }
    *out = (lf_override){.text = text, .type = type->type};
    return lf_pattern_compile(arena, text, (size_t)(equals - text), &out->pattern);
}

int32_t lf_overrides_parse(lf_arena *arena, const lfm2_convert_options *options, lf_overrides *out)
{
    void *p = NULL;
    size_t n = options->n_tensor_types;
    *out = (lf_overrides){0};
    if (n > LF_MAX_OVERRIDES || (n > 0 && options->tensor_types == NULL)) {
        return lf_fail(LFM2_E_ARGUMENT, "convert.tensor_type",
                       n > LF_MAX_OVERRIDES ? "n_tensor_types is %zu; allowed: up to %d"
                                            : "n_tensor_types is %zu, but tensor_types is NULL",
                       n, LF_MAX_OVERRIDES);
    }
    LF_TRY(lf_arena_new(arena, n, sizeof *out->items, "tensor types", &p));
    out->items = p;
    for (size_t i = 0; i < n; i++) {
        LF_TRY(parse(arena, options->tensor_types[i], &out->items[i]));
    }
    out->n = n;
    return LFM2_OK;
}

lf_override *lf_overrides_find(const lf_overrides *overrides, const char *name)
{
    for (size_t i = 0; i < overrides->n; i++) {
        if (lf_pattern_matches(&overrides->items[i].pattern, name)) {
            return &overrides->items[i];
        }
    }
    return NULL;
}
