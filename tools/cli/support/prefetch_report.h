/* SPDX-License-Identifier: Apache-2.0 */
/* The report about prefetch policies of -v. */
#ifndef LFM2_CLI_PREFETCH_REPORT_H
#define LFM2_CLI_PREFETCH_REPORT_H

#include "lfm2.h"

/* Prints to standard error which policies the runtime uses and what it measured: a line for each
 * format and number of rows. Prints nothing if nothing was measured. */
void notice_prefetch(const lfm2_runtime *runtime);

/* Prints the policies that a runtime uses before it has measured any: a line for all formats with
 * the same ones. */
void notice_prefetch_start(const lfm2_runtime *runtime);

#endif /* LFM2_CLI_PREFETCH_REPORT_H */
