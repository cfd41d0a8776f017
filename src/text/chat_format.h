/* SPDX-License-Identifier: Apache-2.0 */
/* LFM2's chat format as a chat template: that of models without a template. */
#ifndef LF_TEXT_CHAT_FORMAT_H
#define LF_TEXT_CHAT_FORMAT_H

extern const char lf_chat_format[];

/* Its name in lfm2_model_get_chat_template. */
#define LF_CHAT_FORMAT_NAME "lfm2"

#endif /* LF_TEXT_CHAT_FORMAT_H */
