/* SPDX-License-Identifier: Apache-2.0 */
/* The limits of hyperparameters. The rest of the library relies on this check: products of sizes
 * fit in 64 bits, loops over them are bounded, and kernels get shapes that they can handle. */
#include "load/source.h"

#include <math.h>

/* The largest LFM2 has width 2048, 40 layers, 64 experts and a vocabulary of 128,000. The limits
 * are larger by a factor of 8 or more and keep width x vocabulary x experts far below 2^63. */
enum {
    MAX_VOCAB = 1 << 22,
    MAX_EMBD = 65536,
    MAX_FF = 1 << 20,
    MIN_TAPS = 2,
    MAX_CTX = 1 << 24 /* positions are exact in f32 */
};

static int32_t fail_range(const char *name, const char *what, uint64_t value, uint64_t low,
                          uint64_t high)
{
    return lf_fail(LFM2_E_FORMAT, "hparams.range", "%s: %s is %llu; allowed: %llu to %llu", name,
                   what, (unsigned long long)value, (unsigned long long)low,
                   (unsigned long long)high);
}

static int32_t check_range(const char *name, const char *what, uint32_t value, uint32_t low,
                           uint32_t high)
{
    return value < low || value > high ? fail_range(name, what, value, low, high) : LFM2_OK;
}

static int32_t check_positive(const char *name, const char *what, float value)
{
    if (!isfinite(value) || value <= 0) {
        return lf_fail(LFM2_E_FORMAT, "hparams.range",
                       "%s: %s is %g; it must be positive and finite", name, what, (double)value);
    }
    return LFM2_OK;
}

static int32_t check_attention(const lf_hparams *h, const char *name)
{
    LF_TRY(check_range(name,
                       "the number of attention heads (attention.head_count, "
                       "num_attention_heads)",
                       h->n_head, 1, LF_MAX_HEADS));
    LF_TRY(check_range(name, "the head dimension (attention.key_length, hidden_size / heads)",
                       h->head_dim, 2, LF_MAX_HEAD_DIM));
    if (h->head_dim % 2 != 0) {
        return lf_fail(LFM2_E_UNSUPPORTED, "hparams.head_dim",
                       "%s: the head dimension is %u; it must be even because RoPE rotates pairs",
                       name, h->head_dim);
    }
    for (uint32_t l = 0; l < h->n_layer; l++) {
        uint32_t kv = h->n_head_kv[l];
        if (kv != 0 && h->n_head % kv != 0) {
            return lf_fail(LFM2_E_FORMAT, "hparams.head_kv",
                           "%s: layer %u has %u KV heads (attention.head_count_kv, "
                           "num_key_value_heads); their number must divide the %u attention heads",
                           name, l, kv, h->n_head);
        }
    }
    return LFM2_OK;
}

static int32_t check_feed_forward(const lf_hparams *h, const char *name)
{
    bool moe = h->arch == LF_ARCH_LFM2MOE;
    LF_TRY(check_range(name,
                       "the number of dense layers (leading_dense_block_count, "
                       "num_dense_layers)",
                       h->n_dense, moe ? 0 : h->n_layer, h->n_layer));
    if (h->n_dense > 0) {
        LF_TRY(check_range(name, "the feed-forward width (feed_forward_length, intermediate_size)",
                           h->n_ff, 1, MAX_FF));
    }
    if (!moe) {
        return LFM2_OK;
    }
    LF_TRY(check_range(name, "the number of experts (expert_count, num_experts)", h->n_expert, 1,
                       LF_MAX_EXPERTS));
    LF_TRY(check_range(name,
                       "the number of experts per token (expert_used_count, num_experts_per_tok)",
                       h->n_expert_used, 1,
                       h->n_expert < LF_MAX_EXPERTS_USED ? h->n_expert : LF_MAX_EXPERTS_USED));
    LF_TRY(check_range(name,
                       "the experts' feed-forward width (expert_feed_forward_length, "
                       "moe_intermediate_size)",
                       h->n_ff_expert, 1, MAX_FF));
    return check_positive(
        name, "the scale of the experts' output (expert_weights_scale, routed_scaling_factor)",
        h->expert_scale);
}

int32_t lf_hparams_check(const lf_hparams *h, const char *name)
{
    LF_TRY(check_range(name, "the number of layers (block_count, num_hidden_layers)", h->n_layer, 1,
                       LF_MAX_LAYERS));
    LF_TRY(check_range(name, "the size of the vocabulary (rows of the embedding)", h->n_vocab, 1,
                       MAX_VOCAB));
    LF_TRY(check_range(name, "the embedding width (embedding_length, hidden_size)", h->n_embd, 1,
                       MAX_EMBD));
    LF_TRY(check_range(name, "the context length (context_length, max_position_embeddings)",
                       h->n_ctx_train, 1, MAX_CTX));
    LF_TRY(check_range(name,
                       "the length of the convolution kernel (shortconv.l_cache, conv_L_cache)",
                       h->conv_kernel, MIN_TAPS, LF_MAX_TAPS));
    LF_TRY(check_positive(name,
                          "the epsilon of the norms (attention.layer_norm_rms_epsilon, norm_eps)",
                          h->norm_eps));
    LF_TRY(check_positive(name, "the base of RoPE (rope.freq_base, rope_theta)", h->rope_theta));
    LF_TRY(check_attention(h, name));
    return check_feed_forward(h, name);
}
