/* SPDX-License-Identifier: Apache-2.0 */
/* The formats of JSON Schema as patterns. Where a standard leaves a choice, or has rules that no
 * expression states, the pattern matches fewer texts than the standard, never more. */
#include "text/grammar/schema_internal.h"

#include <string.h>

/* Years of four digits of which February has 29 days. 0000 is left out: most programs that read
 * dates begin with the year 1. */
#define LEAP "(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:0[48]|[2468][048]|[13579][26])00)"
#define YEAR "(?:[1-9][0-9]{3}|0(?:[1-9][0-9]{2}|0(?:[1-9][0-9]|0[1-9])))"
#define DATE                                                                                       \
    "(?:" YEAR "-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|"                                \
    "(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))|" LEAP "-02-29)"
/* Leap seconds are at the end of a day of UTC. */
#define TIME                                                                                       \
    "(?:(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\\.[0-9]+)?"                                  \
    "(?:[Zz]|[+\\-](?:[01][0-9]|2[0-3]):[0-5][0-9])|"                                              \
    "23:59:60(?:\\.[0-9]+)?(?:[Zz]|[+\\-]00:00))"

#define TIME_PART "T(?:[0-9]+H(?:[0-9]+M(?:[0-9]+S)?)?|[0-9]+M(?:[0-9]+S)?|[0-9]+S)"
#define DURATION                                                                                   \
    "P(?:(?:[0-9]+Y(?:[0-9]+M(?:[0-9]+D)?)?|[0-9]+M(?:[0-9]+D)?|[0-9]+D)(?:" TIME_PART             \
    ")?|" TIME_PART "|[0-9]+W)"

#define OCTET "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
#define IPV4  "(?:" OCTET "\\.){3}" OCTET
#define H     "[0-9A-Fa-f]{1,4}"
#define TAIL  "(?:" H ":" H "|" IPV4 ")" /* the last two groups */
#define IPV6                                                                                       \
    "(?:(?:" H ":){6}" TAIL "|::(?:" H ":){5}" TAIL "|(?:" H ")?::(?:" H ":){4}" TAIL "|(?:(?:" H  \
    ":){0,1}" H ")?::(?:" H ":){3}" TAIL "|(?:(?:" H ":){0,2}" H ")?::(?:" H ":){2}" TAIL          \
    "|(?:(?:" H ":){0,3}" H ")?::" H ":" TAIL "|(?:(?:" H ":){0,4}" H ")?::" TAIL "|(?:(?:" H      \
    ":){0,5}" H ")?::" H "|(?:(?:" H ":){0,6}" H ")?::)"

/* No hyphens in the third and fourth place: those names are of IDNA, which has a table. */
#define ALNUM "[0-9A-Za-z]"
#define LABEL                                                                                      \
    "(?:" ALNUM "|" ALNUM ALNUM "|" ALNUM "[0-9A-Za-z\\-]" ALNUM "|" ALNUM                         \
    "(?:[0-9A-Za-z\\-]" ALNUM "[0-9A-Za-z\\-]|" ALNUM "-" ALNUM ")[0-9A-Za-z\\-]{0,58}" ALNUM      \
    "|" ALNUM "(?:[0-9A-Za-z\\-]" ALNUM "|" ALNUM "-)" ALNUM ")"
#define HOSTNAME LABEL "(?:\\." LABEL ")*"

#define ATEXT "[0-9A-Za-z!#$%&'*+\\-/=?^_`{|}~]+"
#define EMAIL ATEXT "(?:\\." ATEXT ")*@(?:" HOSTNAME "|\\[" IPV4 "\\])"

#define HEX2      "%[0-9A-Fa-f]{2}"
#define UNRES     "0-9A-Za-z\\-._~!$&'()*+,;=" /* unreserved and sub-delims */
#define PCHAR     "(?:[" UNRES ":@]|" HEX2 ")"
#define SEGMENTS  "(?:/" PCHAR "*)*"
#define HOST      "(?:\\[(?:" IPV6 "|v[0-9A-Fa-f]+\\.[" UNRES ":]+)\\]|(?:[" UNRES "]|" HEX2 ")*)"
#define AUTHORITY "//(?:(?:[" UNRES ":]|" HEX2 ")*@)?" HOST "(?::[0-9]*)?" SEGMENTS
#define ABSOLUTE  "/(?:" PCHAR "+" SEGMENTS ")?"
#define SCHEME    "[A-Za-z][0-9A-Za-z+\\-.]*:"
#define QUERY     "(?:\\?(?:[" UNRES ":@/?]|" HEX2 ")*)?(?:#(?:[" UNRES ":@/?]|" HEX2 ")*)?"
#define URI       SCHEME "(?:" AUTHORITY "|" ABSOLUTE "|" PCHAR "+" SEGMENTS "|)" QUERY
#define URI_REFERENCE                                                                              \
    "(?:" URI "|(?:" AUTHORITY "|" ABSOLUTE "|(?:[" UNRES "@]|" HEX2 ")+" SEGMENTS "|)" QUERY ")"

#define VARCHAR "(?:[0-9A-Za-z_]|" HEX2 ")"
#define VARSPEC VARCHAR "(?:\\.?" VARCHAR ")*(?::[1-9][0-9]{0,3}|\\*)?"
#define URI_TEMPLATE                                                                               \
    "(?:[!#$&(-;=?-\\[\\]_a-z~]|" HEX2 "|\\{[+#./;?&]?" VARSPEC "(?:," VARSPEC ")*\\})*"

#define POINTER "(?:/(?:[^~/]|~[01])*)*"

static const struct format {
    const char *name;
    const char *pattern; /* NULL: refused */
    uint32_t most;       /* characters; 0: any number */
    const char *also;    /* a second pattern; NULL: none */
} all[] = {
    {"date-time", DATE "[Tt]" TIME, 0, NULL},
    {"date", DATE, 0, NULL},
    {"time", TIME, 0, NULL},
    {"duration", DURATION, 0, NULL},
    {"email", EMAIL, 254, "[^@]{1,64}@.*"},
    {"hostname", HOSTNAME, 253, NULL},
    {"ipv4", IPV4, 0, NULL},
    {"ipv6", IPV6, 0, NULL},
    {"uri", URI, 0, NULL},
    {"uri-reference", URI_REFERENCE, 0, NULL},
    {"uri-template", URI_TEMPLATE, 0, NULL},
    {"uuid", "[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}", 0, NULL},
    {"json-pointer", POINTER, 0, NULL},
    {"relative-json-pointer", "(?:0|[1-9][0-9]*)(?:#|" POINTER ")", 0, NULL},
    /* Their rules need tables of characters, or are not regular. */
    {"idn-email", NULL, 0, NULL},
    {"idn-hostname", NULL, 0, NULL},
    {"iri", NULL, 0, NULL},
    {"iri-reference", NULL, 0, NULL},
    {"regex", NULL, 0, NULL},
};

int32_t lf_schema_format_of(lf_schema *s, const char *name, size_t len, lf_schema_format *kind,
                            lf_rx *out)
{
    *kind = LF_FORMAT_UNKNOWN;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (strlen(all[i].name) != len || memcmp(all[i].name, name, len) != 0) {
            continue;
        }
        if (all[i].pattern == NULL) {
            *kind = LF_FORMAT_REFUSED;
            return LFM2_OK;
        }
        uint32_t id = 0;
        bool added = false;
        *kind = LF_FORMAT_KNOWN;
        LF_TRY(lf_schema_intern(s, &s->formats, name, len, &id, &added));
        if (added) {
            const char *why = NULL;
            bool unsupported = false;
            LF_TRY(lf_schema_pattern(s, all[i].pattern, strlen(all[i].pattern), true, out, &why,
                                     &unsupported));
            if (why != NULL) {
                return lf_fail(LFM2_E_INTERNAL, "schema.format", "%s: %s", all[i].name, why);
            }
            if (all[i].also != NULL) {
                lf_rx also = LF_RX_NONE;
                LF_TRY(lf_schema_pattern(s, all[i].also, strlen(all[i].also), true, &also, &why,
                                         &unsupported));
                *out = lf_rx_and(s->rx, *out, also);
            }
            if (all[i].most > 0) {
                *out = lf_rx_and(s->rx, *out, lf_schema_text_length(s, 1, all[i].most));
            }
            s->formats.items[id].value = *out;
        }
        *out = s->formats.items[id].value;
        return lf_rx_status(s->rx);
    }
    return LFM2_OK;
}
