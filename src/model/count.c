/* SPDX-License-Identifier: Apache-2.0 */
/* Counts the parameters of a model, and the bytes and multiply-adds of a token. */
#include "model/model.h"

static uint64_t values_of(const lf_tensor *t)
{
    return t->ne[0] * t->ne[1] * t->ne[2] * t->ne[3];
}

static void count_params(const lfm2_model *model, lfm2_model_info *info)
{
    const lf_hparams *h = &model->source->hparams;
    for (uint32_t i = 0; i < model->source->n_tensors; i++) {
        const lf_tensor *t = &model->source->tensors[i];
        uint64_t n = values_of(t);
        info->n_params += n;
        info->weight_bytes += t->bytes;
        bool experts = t->n_dims == 3 && h->n_expert > 0 && t->ne[2] == h->n_expert;
        info->n_params_active += experts ? n / h->n_expert * h->n_expert_used : n;
    }
}

static void count_token(const lfm2_model *model, lfm2_model_info *info)
{
    const lf_hparams *h = &model->source->hparams;
    for (size_t i = 0; i < model->n_matrices; i++) {
        const lf_packed *p = model->matrices[i];
        uint64_t experts = p->n_experts > 1 ? h->n_expert_used : 1;
        uint64_t macs = (uint64_t)p->n * p->k * (p->pair ? 2 : 1);
        info->token_bytes += experts * p->expert_bytes;
        info->token_macs += experts * macs;
        if (p == &model->head) {
            info->head_bytes = p->expert_bytes;
            info->head_macs = macs;
        }
    }
}

void lf_model_count(const lfm2_model *model, lfm2_model_info *info)
{
    const lf_source *source = model->source;
    for (uint32_t l = 0; l < source->hparams.n_layer; l++) {
        if (source->hparams.n_head_kv[l] != 0) {
            info->n_layer_attn++;
            info->n_head_kv = source->hparams.n_head_kv[l];
        }
    }
    for (uint32_t f = 0; f < source->n_files; f++) {
        info->file_bytes += source->files[f].size;
    }
    count_params(model, info);
    count_token(model, info);
}
