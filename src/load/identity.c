/* SPDX-License-Identifier: Apache-2.0 */
/* Implements the hashes that tell models and kernels apart. */
#include "load/identity.h"

#include <string.h>
#include <xxhash.h>

/* Continues a hash with `data`. */
static uint64_t add(uint64_t hash, const void *data, size_t bytes)
{
    return XXH3_64bits_withSeed(data, bytes, hash);
}

/* n_vocab and n_ctx_train are left out: the shapes of tensors have the former, and no result
 * depends on the latter. */
static uint64_t hash_hparams(const lf_hparams *h)
{
    const uint32_t counts[] = {(uint32_t)h->arch, h->n_embd,      h->n_layer,     h->n_head,
                               h->head_dim,       h->n_ff,        h->n_dense,     h->n_expert,
                               h->n_expert_used,  h->n_ff_expert, h->conv_kernel, h->norm_topk,
                               h->expert_bias,    h->tied};
    const float numbers[] = {h->norm_eps, h->rope_theta, h->expert_scale};
    uint64_t hash = add(0, counts, sizeof counts);
    hash = add(hash, h->n_head_kv, h->n_layer * sizeof h->n_head_kv[0]);
    return add(hash, numbers, sizeof numbers);
}

/* Samples the first and last bytes of a tensor's data. They distinguish models with the same
 * shapes. Costs two pages per tensor. */
static int32_t add_samples(const lf_source *source, const lf_tensor *t, uint64_t *hash)
{
    enum { SAMPLE = 64 };
    uint8_t sample[SAMPLE];
    uint64_t expert_bytes = t->bytes / t->ne[2];
    size_t n = expert_bytes < SAMPLE ? (size_t)expert_bytes : SAMPLE;
    LF_TRY(lf_tensor_read(source, t, 0, 0, sample, n));
    *hash = add(*hash, sample, n);
    LF_TRY(lf_tensor_read(source, t, t->ne[2] - 1, expert_bytes - n, sample, n));
    *hash = add(*hash, sample, n);
    return LFM2_OK;
}

/* Kernels of this library give the same bits on every CPU; those of XNNPACK need not. */
static uint64_t hash_kernels(lf_packed *const *matrices, size_t n)
{
    uint64_t hash = 0;
    for (size_t i = 0; i < n; i++) {
        const lf_gemm *gemm = matrices[i]->gemm;
        const char *name = gemm->provider == LF_PROVIDER_XNNPACK ? gemm->name : "";
        hash = add(hash, name, strlen(name) + 1);
    }
    return hash;
}

int32_t lf_identity_of(const lf_source *source, lf_packed *const *matrices, size_t n,
                       lf_identity *out)
{
    uint64_t hash = hash_hparams(&source->hparams);
    for (uint32_t i = 0; i < source->n_tensors; i++) {
        const lf_tensor *t = &source->tensors[i];
        uint32_t type = (uint32_t)t->type;
        hash = add(hash, t->name, strlen(t->name) + 1);
        hash = add(hash, &type, sizeof type);
        hash = add(hash, t->ne, sizeof t->ne);
        LF_TRY(add_samples(source, t, &hash));
    }
    *out = (lf_identity){.weights = hash, .kernels = hash_kernels(matrices, n)};
    return LFM2_OK;
}
