/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of presets: their names, the type of each tensor, the order of tensors. */
#include "convert/rule.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* ---- Which tensor gets which type ---- */

typedef struct rule_case {
    const char *asked;
    uint32_t n_expert;
    bool tied;
    const char *name;
    uint32_t n_dims;
    uint64_t row;
    lf_type want;
} rule_case;

/* The types that llama-quantize reports for models of these shapes. */
static const rule_case rule_cases[] = {
    {"q4_0", 32, true, "token_embd.weight", 2, 2048, LF_Q6_K},
    {"q4_0", 32, true, "token_embd.weight", 2, 320, LF_Q8_0},
    {"q4_0", 32, true, "token_embd.weight", 2, 48, LF_F16},
    {"q4_0", 32, false, "token_embd.weight", 2, 2048, LF_Q4_0},
    {"q4_0", 32, false, "output.weight", 2, 2048, LF_Q6_K},
    {"q4_0", 32, false, "output.weight", 2, 320, LF_Q8_0},
    {"q8_0", 32, true, "token_embd.weight", 2, 2048, LF_Q8_0},
    {"f16", 32, true, "token_embd.weight", 2, 48, LF_F16},
    {"bf16", 32, true, "token_embd.weight", 2, 48, LF_BF16},
    {"q4_0", 32, true, "token_embd_norm.weight", 1, 2048, LF_F32},
    {"q8_0", 32, true, "blk.0.attn_norm.weight", 1, 2048, LF_F32},
    {"q4_0", 32, true, "blk.2.attn_q.weight", 2, 2048, LF_Q4_0},
    {"q4_0", 32, true, "blk.2.attn_k.weight", 2, 2048, LF_Q4_0},
    {"q4_0", 8, true, "blk.2.attn_k.weight", 2, 2048, LF_Q8_0},
    {"q4_0", 8, true, "blk.2.attn_v.weight", 2, 2048, LF_Q8_0},
    {"q4_0", 8, true, "blk.2.attn_q.weight", 2, 2048, LF_Q4_0},
    {"q4_0", 8, true, "blk.2.attn_v.weight", 2, 48, LF_F16},
    {"f16", 8, true, "blk.2.attn_v.weight", 2, 2048, LF_F16},
    {"q4_0", 32, true, "blk.2.attn_k_norm.weight", 1, 64, LF_F32},
    {"q4_0", 32, true, "blk.0.shortconv.in_proj.weight", 2, 2048, LF_Q4_0},
    {"q4_0", 32, true, "blk.0.shortconv.conv.weight", 2, 3, LF_F32},
    {"bf16", 32, true, "blk.0.shortconv.conv.weight", 2, 3, LF_F32},
    {"q4_0", 32, true, "blk.0.ffn_down.weight", 2, 7168, LF_Q4_0},
    {"q4_0", 32, true, "blk.0.ffn_down.weight", 2, 48, LF_F16},
    {"q8_0", 32, true, "blk.0.ffn_down.weight", 2, 48, LF_F16},
    {"f16", 32, true, "blk.2.ffn_gate_inp.weight", 2, 2048, LF_F32},
    {"q4_0", 32, true, "blk.2.exp_probs_b.bias", 1, 32, LF_F32},
    {"q4_0", 32, true, "blk.2.ffn_down_exps.weight", 3, 1792, LF_Q4_0},
    {"f32", 32, true, "blk.2.ffn_down_exps.weight", 3, 1792, LF_F32},
    {"q4_k_m", 32, true, "token_embd.weight", 2, 2048, LF_Q6_K},
    {"q5_k_m", 32, true, "token_embd.weight", 2, 320, LF_Q8_0},
    {"q6_k", 32, true, "token_embd.weight", 2, 48, LF_F16},
    {"q4_k_m", 32, false, "token_embd.weight", 2, 2048, LF_Q4_K},
    {"q4_k_m", 32, false, "token_embd.weight", 2, 320, LF_Q5_0},
    {"q5_k_s", 32, false, "token_embd.weight", 2, 320, LF_Q5_1},
    {"q4_k_s", 32, false, "output.weight", 2, 2048, LF_Q6_K},
    {"q4_k_m", 32, true, "blk.0.attn_norm.weight", 1, 2048, LF_F32},
    {"q6_k", 32, true, "blk.2.ffn_gate_inp.weight", 2, 2048, LF_F32},
    {"q4_k_m", 32, true, "blk.0.shortconv.conv.weight", 2, 3, LF_F32},
    {"q4_k_m", 32, true, "blk.0.shortconv.in_proj.weight", 2, 2048, LF_Q4_K},
    {"q5_k_m", 32, true, "blk.0.ffn_up.weight", 2, 2048, LF_Q5_K},
    {"q4_k_m", 32, true, "blk.3.ffn_down_exps.weight", 3, 96, LF_Q5_0},
    {"q4_k_m", 32, true, "blk.5.ffn_down_exps.weight", 3, 96, LF_Q8_0},
    {"q4_k_s", 32, true, "blk.2.ffn_down_exps.weight", 3, 96, LF_Q5_1},
    {"q5_k_m", 32, true, "blk.3.ffn_down_exps.weight", 3, 96, LF_Q5_1},
    {"q6_k", 32, true, "blk.3.ffn_down_exps.weight", 3, 96, LF_Q8_0},
    {"q6_k", 32, true, "blk.3.ffn_down_exps.weight", 3, 48, LF_F16},
    {"q2_k", 32, true, "token_embd.weight", 2, 2048, LF_Q6_K},
    {"q2_k", 32, false, "token_embd.weight", 2, 2048, LF_Q2_K},
    {"q2_k", 32, false, "token_embd.weight", 2, 320, LF_Q4_0},
    {"q3_k_l", 32, true, "token_embd.weight", 2, 320, LF_Q8_0},
    {"q3_k_m", 32, true, "blk.3.ffn_up_exps.weight", 3, 96, LF_Q4_0},
    {"q3_k_m", 32, true, "blk.3.ffn_down_exps.weight", 3, 96, LF_Q5_0},
    {"q3_k_s", 32, true, "blk.3.ffn_down_exps.weight", 3, 48, LF_F16},
    {"iq4_xs", 32, true, "token_embd.weight", 2, 2048, LF_Q6_K},
    {"iq4_xs", 32, false, "token_embd.weight", 2, 320, LF_IQ4_NL},
    {"iq4_xs", 32, true, "blk.0.ffn_down.weight", 2, 96, LF_Q5_1},
    {"iq4_nl", 32, true, "token_embd.weight", 2, 320, LF_Q8_0},
    {"iq4_nl", 32, true, "blk.5.ffn_up.weight", 2, 96, LF_IQ4_NL},
};

/* A model of n_layer layers; bit i of `attention`: layer i is an attention layer. */
static void set_layers(lf_hparams *h, uint32_t n_layer, uint64_t attention, uint32_t n_expert)
{
    *h = (lf_hparams){.n_layer = n_layer, .n_expert = n_expert, .n_head = 32};
    for (uint32_t i = 0; i < n_layer; i++) {
        h->n_head_kv[i] = (attention >> i & 1) != 0 ? 8 : 0;
    }
}

static void test_rule(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rule_cases / sizeof rule_cases[0]; i++) {
        const rule_case *c = &rule_cases[i];
        lf_hparams h;
        set_layers(&h, 24, 0x244444, c->n_expert);
        lf_rule rule = {.preset = lf_preset_find(c->asked), .hparams = &h, .tied = c->tied};
        lf_rule_count(&rule);
        assert_non_null(rule.preset);
        lf_type got = lf_rule_type(&rule, c->name, c->n_dims, c->row);
        if (got != c->want) {
            fail_msg("case %zu: %s of row %u: type %d, not %d", i, c->name, (unsigned)c->row,
                     (int)got, (int)c->want);
        }
    }
}

typedef struct layers_case {
    const char *asked;
    uint32_t n_layer, n_expert;
    uint64_t attention;
    const char *down;                      /* bits of ffn_down (or ffn_down_exps), layer by layer */
    const char *key, *value, *attn_output; /* of the attention layers */
} layers_case;

/* The types that llama-quantize chooses for models with these layers. */
static const layers_case layers_cases[] = {
    {"q4_k_s", 24, 32, 0x244444, "555444444444444444444444", "444444", "555544", "444444"},
    {"q4_k_m", 24, 32, 0x244444, "666446446446446446446666", "444444", "446446", "444444"},
    {"q5_k_s", 24, 32, 0x244444, "555555555555555555555555", "555555", "555555", "555555"},
    {"q5_k_m", 24, 32, 0x244444, "666556556556556556556666", "555555", "556556", "555555"},
    {"q6_k", 24, 32, 0x244444, "666666666666666666666666", "666666", "666666", "666666"},
    {"q4_k_s", 16, 0, 0x5524, "5544444444444444", "444444", "555544", "444444"},
    {"q4_k_m", 16, 0, 0x5524, "6644644644644666", "444444", "446446", "444444"},
    {"q5_k_s", 16, 0, 0x5524, "5555555555555555", "555555", "555555", "555555"},
    {"q5_k_m", 16, 0, 0x5524, "6655655655655666", "555555", "556556", "555555"},
    {"q4_k_s", 40, 64, 0x4444444444, "5555544444444444444444444444444444444444", "4444444444",
     "5555444444", "4444444444"},
    {"q4_k_m", 40, 64, 0x4444444444, "6666644644644644644644644644644644666666", "4444444444",
     "6446446466", "4444444444"},
    {"q4_k_s", 9, 8, 0x1AA, "544444444", "88888", "88888", "55555"},
    {"q4_k_m", 9, 8, 0x1AA, "644644666", "88888", "88888", "55555"},
    {"q5_k_s", 9, 8, 0x1AA, "555555555", "88888", "88888", "55555"},
    {"q5_k_m", 9, 8, 0x1AA, "655655666", "88888", "88888", "55555"},
    {"q6_k", 9, 8, 0x1AA, "666666666", "88888", "88888", "66666"},
    {"q4_k_s", 5, 0, 0x2, "44444", "4", "5", "4"},
    {"q4_k_m", 5, 0, 0x2, "44646", "4", "6", "4"},
    {"q5_k_m", 5, 0, 0x2, "55656", "5", "6", "5"},
    /* 0x2B: layer 0 is an attention layer, so llama.cpp counts 4 query heads to a KV head */
    {"q2_k", 24, 32, 0x244444, "333333333333333333333333", "222222", "333333", "333333"},
    {"q2_k", 9, 8, 0x1AA, "333333333", "88888", "88888", "55555"},
    {"q2_k", 6, 0, 0x2B, "333333", "2222", "4444", "3333"},
    {"q3_k_s", 24, 32, 0x244444, "333333333333333333333333", "333333", "333333", "333333"},
    {"q3_k_s", 9, 8, 0x1AA, "333333333", "88888", "88888", "55555"},
    {"q3_k_s", 6, 0, 0x2B, "333333", "3333", "3333", "3333"},
    {"q3_k_m", 24, 32, 0x244444, "544444444444444444444444", "333333", "554444", "444444"},
    {"q3_k_m", 9, 8, 0x1AA, "444444444", "88888", "88888", "55555"},
    {"q3_k_m", 6, 0, 0x2B, "444444", "3333", "5544", "4444"},
    {"q3_k_m", 40, 64, 0x4444444444, "5544444444444444444444444444444444444444", "3333333333",
     "5544444444", "4444444444"},
    {"q3_k_l", 24, 32, 0x244444, "555555555555555555555555", "333333", "555555", "555555"},
    {"q3_k_l", 9, 8, 0x1AA, "555555555", "88888", "88888", "33333"},
    {"q3_k_l", 6, 0, 0x2B, "555555", "3333", "5555", "5555"},
    {"iq4_nl", 24, 32, 0x244444, "555nnnnnnnnnnnnnnnnnnnnn", "nnnnnn", "nnnnnn", "nnnnnn"},
    {"iq4_nl", 9, 8, 0x1AA, "5nnnnnnnn", "88888", "88888", "55555"},
    {"iq4_nl", 6, 0, 0x2B, "nnnnnn", "nnnn", "5555", "nnnn"},
    {"iq4_xs", 24, 32, 0x244444, "555xxxxxxxxxxxxxxxxxxxxx", "xxxxxx", "xxxxxx", "xxxxxx"},
    {"iq4_xs", 9, 8, 0x1AA, "5xxxxxxxx", "88888", "88888", "55555"},
    {"iq4_xs", 6, 0, 0x2B, "xxxxxx", "xxxx", "5555", "xxxx"},
};

static lf_type type_of(char bits)
{
    switch (bits) {
    case '2':
        return LF_Q2_K;
    case '3':
        return LF_Q3_K;
    case '4':
        return LF_Q4_K;
    case '5':
        return LF_Q5_K;
    case '6':
        return LF_Q6_K;
    case 'n':
        return LF_IQ4_NL;
    case 'x':
        return LF_IQ4_XS;
    default:
        return LF_Q8_0;
    }
}

static void check_layer(const lf_rule *rule, uint32_t layer, const char *matrix, char bits)
{
    char name[64];
    snprintf(name, sizeof name, "blk.%u.%s.weight", layer, matrix);
    lf_type want = type_of(bits);
    lf_type got = lf_rule_type(rule, name, 2, 256);
    if (got != want) {
        fail_msg("%s, %u layers: %s has type %d, not %d", rule->preset->name,
                 rule->hparams->n_layer, name, (int)got, (int)want);
    }
}

static void test_layers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof layers_cases / sizeof layers_cases[0]; i++) {
        const layers_case *c = &layers_cases[i];
        lf_hparams h;
        set_layers(&h, c->n_layer, c->attention, c->n_expert);
        lf_rule rule = {.preset = lf_preset_find(c->asked), .hparams = &h, .tied = true};
        lf_rule_count(&rule);
        assert_non_null(rule.preset);
        char most = c->asked[c->asked[0] == 'i' ? 4 : 1]; /* of "q4_k_m", of "iq4_nl" */
        uint32_t a = 0;
        for (uint32_t l = 0; l < c->n_layer; l++) {
            check_layer(&rule, l, c->n_expert > 0 && l > 1 ? "ffn_down_exps" : "ffn_down",
                        c->down[l]);
            check_layer(&rule, l, "ffn_up", most);
            if ((c->attention >> l & 1) != 0) {
                check_layer(&rule, l, "attn_q", most);
                check_layer(&rule, l, "attn_k", c->key[a]);
                check_layer(&rule, l, "attn_v", c->value[a]);
                check_layer(&rule, l, "attn_output", c->attn_output[a]);
                a++;
            }
        }
        assert_int_equal(a, strlen(c->value));
    }
}

static void test_presets(void **state)
{
    (void)state;
    static const char *const names[] = {"f32",    "F16",    "q4_0",   "Q8_0",  "q4_k_s", "Q4_K_M",
                                        "q5_k_s", "q5_K_m", "q6_k",   "bf16",  "q2_k",   "q3_k_s",
                                        "Q3_K_M", "q3_k_l", "IQ4_NL", "iq4_xs"};
    static const uint32_t numbers[] = {0, 1, 2, 7, 14, 15, 16, 17, 18, 32, 10, 11, 12, 13, 25, 30};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        assert_non_null(lf_preset_find(names[i]));
        assert_int_equal(lf_preset_find(names[i])->ftype, numbers[i]);
    }
    static const char *const unknown[] = {"",      "q4",     "q4_k", "q4_k_", "q4_k_mm", "q5_0",
                                          "mxfp4", "q2_k_s", "q3_k", "iq4",   "iq3_s"};
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
        assert_null(lf_preset_find(unknown[i]));
    }
}

static void test_order(void **state)
{
    (void)state;
    static const char *const want[] = {"token_embd.weight",   "token_embd_norm.weight",
                                       "blk.0.ffn_up.weight", "blk.2.attn_k.weight",
                                       "blk.2.ffn_up.weight", "blk.10.attn_k.weight"};
    static const int shuffled[] = {5, 2, 1, 4, 0, 3};
    lf_out_tensor t[6];
    for (int i = 0; i < 6; i++) {
        t[i] = (lf_out_tensor){.name = want[shuffled[i]]};
    }
    lf_rule_sort(t, 6);
    for (int i = 0; i < 6; i++) {
        assert_string_equal(t[i].name, want[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rule),
        cmocka_unit_test(test_layers),
        cmocka_unit_test(test_presets),
        cmocka_unit_test(test_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
