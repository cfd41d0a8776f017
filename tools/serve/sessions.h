/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions with names: what the network keeps of a conversation, continued by a request with the
 * field "session". A name belongs to the owner of the API key; the same name of another owner is
 * another session. */
#ifndef LFM2_SERVE_SESSIONS_H
#define LFM2_SERVE_SESSIONS_H

#include "serve/api.h"

enum {
    MAX_SESSIONS = 256,      /* in memory */
    MAX_SESSION_FILES = 256, /* of an owner */
    MAX_SESSION_NAME = 64
};

typedef struct named_session {
    uint64_t owner;
    char name[MAX_SESSION_NAME + 1];
    lfm2_session *session;
    uint64_t used; /* the number of the last use */
} named_session;

typedef struct sessions {
    named_session all[MAX_SESSIONS];
    uint32_t n;
    uint64_t uses;
} sessions;

/* Letters, digits, '_', '-' and '.', which is not the first; 1 to MAX_SESSION_NAME. */
bool session_name_valid(const char *name);

/* The session, from memory, or from its file if it is not in memory. *out is NULL if there is none.
 * It stays valid until another function of this header is called. Errors: those of
 * lfm2_session_restore. */
int32_t session_find(api *a, exchange *x, const char *name, const lfm2_session **out);

/* Takes over a session, which replaces an older one of the name. If there are too many, or they
 * take more than a quarter of the memory for keys and values, those that were not used for the
 * longest time are freed: requests must have memory, too. A file of a freed session stays. */
void session_put(api *a, uint64_t owner, const char *name, lfm2_session *session);

/* Deletes what processes that were killed left in the folder of sessions, which may be NULL. */
void sessions_clean(const char *path);

/* Frees the session that was not used for the longest time, if there is one: a request failed
 * because the system had no memory. */
void sessions_give(api *a);

void sessions_free(api *a);

#endif /* LFM2_SERVE_SESSIONS_H */
