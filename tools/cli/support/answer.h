/* SPDX-License-Identifier: Apache-2.0 */
/* What run and chat tell about an answer. */
#ifndef LFM2_TOOLS_ANSWER_H
#define LFM2_TOOLS_ANSWER_H

#include "cli/support/util.h"

/* One line on stderr if something other than the model or a stop string ended the answer.
 * `remedy`, or "", is what helps against a full context besides -c. */
void notice_finish(const lfm2_generate_result *result, const lfm2_session *session,
                   const char *remedy);

#endif /* LFM2_TOOLS_ANSWER_H */
