/* SPDX-License-Identifier: Apache-2.0 */
/* What run and chat tell about an answer. */
#include "cli/support/answer.h"

void notice_finish(const lfm2_generate_result *result, const lfm2_session *session,
                   const char *remedy)
{
    switch (result->finish) {
    case LFM2_FINISH_LENGTH:
        notice("stopped after %u new token%s (-n)", result->n_generated,
               result->n_generated == 1 ? "" : "s");
        break;
    case LFM2_FINISH_CONTEXT:
        notice("stopped: the context of %u tokens is full; -c N makes it larger%s",
               lfm2_session_capacity(session), remedy);
        break;
    case LFM2_FINISH_CANCELLED:
        notice("stopped");
        break;
    default:
        break;
    }
}
