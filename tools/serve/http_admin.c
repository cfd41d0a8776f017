/* SPDX-License-Identifier: Apache-2.0 */
/* The admin listener: health, metrics, and the agent of a load balancer. */
#include "serve/http_server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t http_agent_line(http_server *s, char *out, size_t size)
{
    http_figures f = {0};
    const http_options *o = s->options;
    if (s->draining) {
        return (size_t)snprintf(out, size, "drain\n");
    }
    if (o->figures != NULL) {
        o->figures(o->user, &f);
    }
    double slots = o->max_running > 0 ? o->max_running : 1;
    double busy = ((double)f.engine.n_running + f.engine.n_waiting) / slots;
    if (f.kv.budget > 0 && f.kv.budget != UINT64_MAX && f.kv.used >= f.kv.cached) {
        /* Pages that only caches hold are free for requests. */
        double full = (double)(f.kv.used - f.kv.cached) / (double)f.kv.budget;
        busy = full > busy ? full : busy;
    }
    int weight = (int)(100.0 * (1 - busy) + 0.5);
    /* With a weight of 0 the server would count as drained. */
    weight = weight < 1 ? 1 : weight;
    return (size_t)snprintf(out, size, "up %d%% maxconn:%u\n", weight, o->max_running);
}

void http_admin(http_conn *c, http_request *r)
{
    static const char no_store[] = "Cache-Control: no-store\r\n";
    http_server *s = c->listener->server;
    char line[64];
    if (strcmp(r->path, "/health/live") == 0 || strcmp(r->path, "/health") == 0) {
        http_respond(c, 200, "text/plain; charset=utf-8", no_store, "live\n", 5);
    } else if (strcmp(r->path, "/health/ready") == 0) {
        const char *text = s->draining ? "draining\n" : "ready\n";
        http_respond(c, s->draining ? 503 : 200, "text/plain; charset=utf-8", no_store, text,
                     strlen(text));
    } else if (strcmp(r->path, "/agent") == 0) {
        size_t n = http_agent_line(s, line, sizeof line);
        http_respond(c, 200, "text/plain; charset=utf-8", no_store, line, n);
    } else if (strcmp(r->path, "/metrics") == 0) {
        size_t len = 0;
        char *text = http_metrics(s, &len);
        if (text == NULL) {
            http_error(c, 503, "out_of_memory", "there is no memory for the metrics");
            return;
        }
        http_respond(c, 200, "text/plain; version=0.0.4; charset=utf-8", no_store, text, len);
        free(text);
    } else {
        http_error(c, 404, "not_found",
                   "this address answers /health/live, /health/ready, /metrics and /agent");
    }
}
