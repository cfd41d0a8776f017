/* SPDX-License-Identifier: Apache-2.0 */
/* Implements the reference network: all tokens at once, one matrix row after the other, in double.
 */
#include "support/reference.h"

#include "load/bind.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct network {
    const lf_source *source;
    const lf_hparams *h;
    const lf_weights *w;
    const lft_reference_options *options;
    size_t n;      /* tokens */
    float *row;    /* [most_k] a decoded weight row */
    size_t most_k; /* inputs of the widest matrix */
} network;

static double *doubles(size_t n)
{
    double *p = calloc(n > 0 ? n : 1, sizeof *p);
    assert_non_null(p);
    return p;
}

/* Row r of expert e. */
static void weight_row(const network *net, const lf_tensor *t, uint64_t e, uint64_t r, double *out)
{
    size_t k = (size_t)t->ne[0];
    assert_true(k <= net->most_k);
    const uint8_t *rows = lf_tensor_expert(net->source, t, e);
    lf_decode_row(t->type, rows + r * lf_row_bytes(t->type, k), net->row, k);
    for (size_t i = 0; i < k; i++) {
        out[i] = (double)net->row[i];
    }
}

static double *vector(const network *net, const lf_tensor *t)
{
    double *v = doubles((size_t)t->ne[0]);
    weight_row(net, t, 0, 0, v);
    return v;
}

static bool is_float(lf_type type)
{
    return type == LF_F32 || type == LF_F16 || type == LF_BF16;
}

/* To 22 significant bits, halves up. */
static double to_22_bits(float x)
{
    int exponent = 0;
    float significand = frexpf(x, &exponent);
    return ldexp(floor(ldexp((double)significand, 22) + 0.5), exponent - 22);
}

/* n values to int8 and back: the scale is the largest magnitude / 127, the quant the nearest
 * integer to value * (127 / largest), halves to even. `fine`: the remainder is rounded once more,
 * in steps of scale / 254. */
static void round_block(double *x, size_t n, bool fine)
{
    float most = 0;
    for (size_t i = 0; i < n; i++) {
        most = fmaxf(most, fabsf((float)x[i]));
    }
    double scale = to_22_bits(most * (1.0f / 127.0f));
    double fine_scale = to_22_bits((float)scale * (1.0f / 254.0f));
    float inverse = most > 0 ? 127.0f / most : 0;
    for (size_t i = 0; i < n; i++) {
        float value = (float)x[i];
        double code = nearbyint((double)(value * inverse));
        double left = (double)value * (double)inverse - code;
        x[i] = scale * code + (fine ? fine_scale * nearbyint((double)((float)left * 254.0f)) : 0.0);
    }
}

/* How many values of x share a scale, 0 if x is not rounded. other: the tensor that is multiplied
 * together with w, or w. */
static size_t group_of_x(const network *net, const lf_tensor *w, const lf_tensor *other)
{
    if (!net->options->int8_activations || is_float(w->type) || is_float(other->type)) {
        return 0;
    }
    return w->type != other->type ? 16 : lf_type_get((uint32_t)w->type)->group;
}

/* y[t][r] = weights of expert e, row r, times x[t]. */
static void multiply_with(const network *net, const lf_tensor *w, const lf_tensor *other,
                          uint64_t e, const double *x, size_t n, double *y)
{
    size_t k = (size_t)w->ne[0];
    size_t rows = (size_t)w->ne[1];
    double *in = doubles(n * k);
    memcpy(in, x, n * k * sizeof *in);
    size_t block = group_of_x(net, w, other);
    for (size_t i = 0; block > 0 && i < n * k; i += block) {
        round_block(in + i, block, block == 32 && w->type == LF_Q8_0);
    }
    double *row = doubles(k);
    for (size_t r = 0; r < rows; r++) {
        weight_row(net, w, e, r, row);
        for (size_t t = 0; t < n; t++) {
            double sum = 0;
            for (size_t i = 0; i < k; i++) {
                sum += in[t * k + i] * row[i];
            }
            y[t * rows + r] = sum;
        }
    }
    free(row);
    free(in);
}

static void multiply(const network *net, const lf_tensor *w, uint64_t e, const double *x, size_t n,
                     double *y)
{
    multiply_with(net, w, w, e, x, n, y);
}

/* In place, n rows of k. */
static void normalize(const network *net, const lf_tensor *weight, double *x, size_t n, size_t k)
{
    double *w = vector(net, weight);
    for (size_t t = 0; t < n; t++) {
        double squares = 0;
        for (size_t i = 0; i < k; i++) {
            squares += x[t * k + i] * x[t * k + i];
        }
        double root = sqrt(squares / (double)k + (double)net->h->norm_eps);
        for (size_t i = 0; i < k; i++) {
            x[t * k + i] = x[t * k + i] / root * w[i];
        }
    }
    free(w);
}

/* ---- Convolution and attention: normed h [n][H] to out ---- */

static void short_convolution(const network *net, const lf_layer_weights *w, const double *h,
                              double *out)
{
    size_t width = net->h->n_embd;
    size_t taps = net->h->conv_kernel;
    double *bcx = doubles(net->n * 3 * width);
    double *gated = doubles(net->n * width);
    double *kernel = doubles(taps);
    multiply(net, w->conv_in, 0, h, net->n, bcx);
    for (size_t c = 0; c < width; c++) {
        weight_row(net, w->conv_kernel, 0, c, kernel);
        for (size_t t = 0; t < net->n; t++) {
            double sum = 0;
            for (size_t tap = 0; tap < taps; tap++) {
                if (t + tap + 1 >= taps) {
                    const double *row = bcx + (t + tap + 1 - taps) * 3 * width;
                    sum += kernel[tap] * row[c] * row[2 * width + c];
                }
            }
            gated[t * width + c] = bcx[t * 3 * width + width + c] * sum;
        }
    }
    multiply(net, w->conv_out, 0, gated, net->n, out);
    free(bcx);
    free(gated);
    free(kernel);
}

/* Norm and rotation of every head of every token, [n][heads][d]. */
static void prepare_heads(const network *net, const lf_tensor *norm, double *x, size_t heads)
{
    size_t d = net->h->head_dim;
    normalize(net, norm, x, net->n * heads, d);
    for (size_t t = 0; t < net->n; t++) {
        for (size_t head = 0; head < heads; head++) {
            double *v = x + (t * heads + head) * d;
            for (size_t i = 0; i < d / 2; i++) {
                double angle =
                    (double)t * pow((double)net->h->rope_theta, -2.0 * (double)i / (double)d);
                double a = v[i];
                double b = v[i + d / 2];
                v[i] = a * cos(angle) - b * sin(angle);
                v[i + d / 2] = b * cos(angle) + a * sin(angle);
            }
        }
    }
}

static void to_half(double *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        x[i] = (double)lf_f16_to_f32(lf_f32_to_f16((float)x[i]));
    }
}

/* One query over the first `seen` positions. */
static void attend(const double *q, const double *k, const double *v, size_t stride, size_t seen,
                   size_t d, double *out)
{
    double *p = doubles(seen);
    double most = -HUGE_VAL;
    for (size_t j = 0; j < seen; j++) {
        for (size_t i = 0; i < d; i++) {
            p[j] += q[i] * k[j * stride + i];
        }
        p[j] /= sqrt((double)d);
        most = fmax(most, p[j]);
    }
    double sum = 0;
    for (size_t j = 0; j < seen; j++) {
        p[j] = exp(p[j] - most);
        sum += p[j];
    }
    memset(out, 0, d * sizeof *out);
    for (size_t j = 0; j < seen; j++) {
        for (size_t i = 0; i < d; i++) {
            out[i] += p[j] / sum * v[j * stride + i];
        }
    }
    free(p);
}

static void attention(const network *net, const lf_layer_weights *w, uint32_t n_kv, const double *h,
                      double *out)
{
    size_t d = net->h->head_dim;
    size_t n_heads = net->h->n_head;
    double *q = doubles(net->n * n_heads * d);
    double *k = doubles(net->n * n_kv * d);
    double *v = doubles(net->n * n_kv * d);
    double *o = doubles(net->n * n_heads * d);
    multiply(net, w->q, 0, h, net->n, q);
    multiply(net, w->k, 0, h, net->n, k);
    multiply(net, w->v, 0, h, net->n, v);
    prepare_heads(net, w->q_norm, q, n_heads);
    prepare_heads(net, w->k_norm, k, n_kv);
    if (net->options->f16_kv) {
        to_half(k, net->n * n_kv * d);
        to_half(v, net->n * n_kv * d);
    }
    for (size_t t = 0; t < net->n; t++) {
        for (size_t head = 0; head < n_heads; head++) {
            size_t shared = head / (n_heads / n_kv) * d;
            attend(q + (t * n_heads + head) * d, k + shared, v + shared, n_kv * d, t + 1, d,
                   o + (t * n_heads + head) * d);
        }
    }
    multiply(net, w->o, 0, o, net->n, out);
    free(q);
    free(k);
    free(v);
    free(o);
}

/* ---- Feed-forward ---- */

/* Expert e of gate, up and down for n rows. */
static void feed_forward(const network *net, const lf_layer_weights *w, uint64_t e, const double *h,
                         size_t n, double *out)
{
    size_t inner = (size_t)w->gate->ne[1];
    double *gate = doubles(n * inner);
    double *up = doubles(n * inner);
    multiply_with(net, w->gate, w->up, e, h, n, gate);
    multiply_with(net, w->up, w->gate, e, h, n, up);
    for (size_t i = 0; i < n * inner; i++) {
        gate[i] = gate[i] / (1.0 + exp(-gate[i])) * up[i];
    }
    multiply(net, w->down, e, gate, n, out);
    free(gate);
    free(up);
}

/* weight[e] of one token; 0 for experts that were not chosen. */
static void route(const network *net, const double *score, const double *bias, double *weight)
{
    size_t n = net->h->n_expert;
    double sum = 0;
    memset(weight, 0, n * sizeof *weight);
    for (uint32_t chosen = 0; chosen < net->h->n_expert_used; chosen++) {
        size_t best = n;
        double most = -HUGE_VAL;
        for (size_t e = 0; e < n; e++) {
            double value = score[e] + (bias != NULL ? bias[e] : 0.0);
            if (weight[e] == 0.0 && value > most) {
                most = value;
                best = e;
            }
        }
        weight[best] = score[best];
        sum += score[best];
    }
    double factor = (double)net->h->expert_scale / (net->h->norm_topk ? sum + 1e-6 : 1.0);
    for (size_t e = 0; e < n; e++) {
        weight[e] *= factor;
    }
}

static void experts(const network *net, const lf_layer_weights *w, const double *h, double *out)
{
    size_t width = net->h->n_embd;
    size_t n = net->h->n_expert;
    double *score = doubles(net->n * n);
    double *weight = doubles(n);
    double *one = doubles(width);
    double *bias = w->router_bias != NULL ? vector(net, w->router_bias) : NULL;
    multiply(net, w->router, 0, h, net->n, score);
    memset(out, 0, net->n * width * sizeof *out);
    for (size_t t = 0; t < net->n; t++) {
        for (size_t e = 0; e < n; e++) {
            score[t * n + e] = 1.0 / (1.0 + exp(-score[t * n + e]));
        }
        route(net, score + t * n, bias, weight);
        for (size_t e = 0; e < n; e++) {
            if (weight[e] > 0) {
                feed_forward(net, w, e, h + t * width, 1, one);
                for (size_t i = 0; i < width; i++) {
                    out[t * width + i] += weight[e] * one[i];
                }
            }
        }
    }
    free(score);
    free(weight);
    free(one);
    free(bias);
}

/* ---- The network ---- */

static void layer(const network *net, uint32_t l, double *x)
{
    const lf_layer_weights *w = &net->w->layers[l];
    size_t width = net->h->n_embd;
    double *h = doubles(net->n * width);
    double *y = doubles(net->n * width);
    for (int half = 0; half < 2; half++) {
        memcpy(h, x, net->n * width * sizeof *h);
        normalize(net, half == 0 ? w->mixer_norm : w->ffn_norm, h, net->n, width);
        if (half == 0 && net->h->n_head_kv[l] == 0) {
            short_convolution(net, w, h, y);
        } else if (half == 0) {
            attention(net, w, net->h->n_head_kv[l], h, y);
        } else if (w->router == NULL) {
            feed_forward(net, w, 0, h, net->n, y);
        } else {
            experts(net, w, h, y);
        }
        for (size_t i = 0; i < net->n * width; i++) {
            x[i] += y[i];
        }
    }
    free(h);
    free(y);
}

float *lft_reference(const char *path, const lft_reference_options *options, const int32_t *ids,
                     size_t n, size_t *n_vocab)
{
    lf_alloc alloc = lf_alloc_default();
    lf_log silent = {0};
    lf_source *source = NULL;
    lf_weights *weights = calloc(1, sizeof *weights);
    assert_non_null(weights);
    if (lf_source_open(&alloc, &silent, path, &source) != LFM2_OK ||
        lf_bind(source, weights) != LFM2_OK) {
        fail_msg("%s: %s", path, lfm2_last_error());
    }
    network net = {source, &source->hparams, weights, options, n, NULL, 0};
    for (uint32_t i = 0; i < source->n_tensors; i++) {
        size_t k = (size_t)source->tensors[i].ne[0];
        net.most_k = k > net.most_k ? k : net.most_k;
    }
    net.row = calloc(net.most_k, sizeof *net.row);
    assert_non_null(net.row);
    size_t width = net.h->n_embd;
    *n_vocab = net.h->n_vocab;
    double *x = doubles(n * width);
    for (size_t t = 0; t < n; t++) {
        weight_row(&net, weights->embed, 0, (uint64_t)ids[t], x + t * width);
    }
    for (uint32_t l = 0; l < net.h->n_layer; l++) {
        layer(&net, l, x);
    }
    normalize(&net, weights->final_norm, x, n, width);
    double *logits = doubles(n * *n_vocab);
    multiply(&net, weights->head, 0, x, n, logits);
    float *out = calloc(n * *n_vocab, sizeof *out);
    assert_non_null(out);
    for (size_t i = 0; i < n * *n_vocab; i++) {
        out[i] = (float)logits[i];
    }
    free(logits);
    free(x);
    free(net.row);
    free(weights);
    lf_source_close(source);
    return out;
}
