/* SPDX-License-Identifier: Apache-2.0 */
/* The lengths of the months of the Gregorian calendar. */
#ifndef LF_COMMON_CALENDAR_H
#define LF_COMMON_CALENDAR_H

#include <stdint.h>

/* `month` is 1 to 12. */
static inline int32_t lf_days_of_month(int32_t year, int32_t month)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    const int leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

#endif /* LF_COMMON_CALENDAR_H */
