/* SPDX-License-Identifier: Apache-2.0 */
/* The parser of answers: its state, and what its files call in each other. */
#ifndef LF_TEXT_CHAT_PARSER_INTERNAL_H
#define LF_TEXT_CHAT_PARSER_INTERNAL_H

#include "text/chat_parser.h"

enum {
    LF_PARSER_DEPTH = 512,  /* brackets inside each other in a call */
    LF_PARSER_WINDOW = 256, /* bytes after a quote that decide whether it ends the string */
    LF_PARSER_MAX_PREFIX = 256
};

/* Bytes that grow. A 0 follows them. */
typedef struct lf_bytes {
    char *data;
    size_t len, capacity;
} lf_bytes;

/* The tokens that structure an answer. */
typedef enum lf_delimiter {
    LF_DELIMITER_NONE,
    LF_DELIMITER_CALL_START, /* <|tool_call_start|> */
    LF_DELIMITER_CALL_END,
    LF_DELIMITER_THINK_START, /* <think> */
    LF_DELIMITER_THINK_END,
    LF_DELIMITER_TURN_END, /* <|im_end|>, and in tokens every other end token */
    LF_N_DELIMITERS
} lf_delimiter;

typedef enum lf_parser_state {
    LF_STATE_CONTENT,
    LF_STATE_REASONING,
    LF_STATE_BLOCK, /* in a call block */
    LF_STATE_TRIAL  /* text that may turn out to be calls without a start token */
} lf_parser_state;

/* What a call block expects next. */
typedef enum lf_phase {
    LF_PHASE_BETWEEN, /* a call, "[", "]" or a separator */
    LF_PHASE_NAME,    /* the rest of the name of a function */
    LF_PHASE_OPEN,    /* "(" */
    LF_PHASE_ARGUMENT,
    LF_PHASE_ARGUMENT_NAME,
    LF_PHASE_EQUALS,
    LF_PHASE_KEY, /* of a call as JSON */
    LF_PHASE_COLON,
    LF_PHASE_VALUE,
    LF_PHASE_SCALAR, /* the rest of a number or word */
    LF_PHASE_STRING,
    LF_PHASE_AFTER, /* what follows a value */
    LF_PHASE_SKIP   /* the end of a call that is not valid */
} lf_phase;

typedef enum lf_outcome {
    LF_OUTCOME_OK,
    LF_OUTCOME_MORE,  /* the next bytes decide */
    LF_OUTCOME_FAIL,  /* this is no call */
    LF_OUTCOME_BROKEN /* parser->status says why */
} lf_outcome;

/* An open bracket. */
typedef enum lf_frame_kind {
    LF_FRAME_CALL, /* the arguments of name( */
    LF_FRAME_TOOL, /* a call as JSON */
    LF_FRAME_LIST,
    LF_FRAME_PAREN, /* an expression in parentheses, or a tuple: not known yet */
    LF_FRAME_TUPLE,
    LF_FRAME_BRACE, /* a dict or a set: not known yet */
    LF_FRAME_DICT,
    LF_FRAME_SPREAD, /* the dict of **{...}, whose members are arguments */
    LF_FRAME_SET
} lf_frame_kind;

typedef struct lf_frame {
    lf_frame_kind kind;
    bool key;       /* BRACE, DICT, SPREAD: a key comes next */
    bool any;       /* it has an item */
    size_t open_at; /* its first byte in `args` */
} lf_frame;

/* Members of a call as JSON. */
typedef enum lf_member {
    LF_MEMBER_OTHER,
    LF_MEMBER_NAME,
    LF_MEMBER_ARGUMENTS,
    LF_MEMBER_FUNCTION /* an object with name and arguments, or the name */
} lf_member;

/* Where the bytes of a string go. */
typedef enum lf_sink { LF_SINK_ARGS, LF_SINK_RAW, LF_SINK_SCRATCH } lf_sink;

typedef struct lf_open_string {
    lf_sink sink;
    char quote;
    bool triple, raw, format;
    bool broken;     /* it contains a quote that does not end it */
    bool inner_open; /* such quotes have opened something that they have not closed */
} lf_open_string;

typedef struct lf_slice {
    size_t begin, end; /* in the source */
} lf_slice;

typedef struct lf_section {
    int32_t kind; /* LFM2_CHAT_EVENT_CONTENT or _REASONING */
    lf_slice at;
} lf_section;

typedef struct lf_call {
    size_t name, name_len, id; /* in `strings` */
    size_t args, args_len;     /* in `args` */
    lf_slice at;
} lf_call;

/* begin, end: in the source for text, in `args` for arguments. */
typedef struct lf_event {
    int32_t kind;
    uint32_t call;
    size_t begin, end;
} lf_event;

/* Arrays that grow. */
typedef struct lf_list {
    void *items;
    size_t n, capacity;
} lf_list;

struct lf_chat_parser {
    lf_alloc alloc;
    const lf_tokenizer *tokenizer;
    uint32_t flags; /* LFM2_CHAT_PARSE_* */
    size_t max_bytes;
    lf_arena arena;       /* of the options */
    const lf_json *tools; /* NULL: not given */
    const char *id_prefix;
    int32_t delimiter_ids[LF_N_DELIMITERS]; /* -1: the vocabulary has no such token */
    int32_t status;                         /* the failure that ended parsing */
    bool finished;

    /* ---- The text ---- */
    lf_bytes source;
    size_t pos;       /* bytes before are content, reasoning or syntax, or in the open call */
    size_t scan;      /* bytes before were searched for delimiters */
    uint32_t spelled; /* bits of the delimiters that are recognized by their spelling */
    size_t limit;     /* the end of the bytes that may be read */
    bool final;       /* what follows `limit` is known: `follow`, or the end (NONE) */
    lf_delimiter follow;
    size_t follow_end; /* the end of its bytes */
    lf_parser_state state;
    bool reasoned;        /* there is reasoning, maybe empty */
    bool after_reasoning; /* reasoning has ended, and no content or call followed */
    bool visible;         /* content that is not white space follows the last delimiter */
    bool line_start;      /* only white space precedes in this line of the content */
    size_t turn_end;      /* where the end of the turn is; SIZE_MAX: not reached */

    /* ---- The block ---- */
    lf_slice block;     /* its end while it is open: that of the start token */
    lf_slice last_body; /* of the last block with calls: between the tokens */
    uint32_t first_call;
    lf_list failed;               /* lf_slice: what is no call, until the block has one */
    bool bracket;                 /* inside the brackets of a list */
    bool closed;                  /* TRIAL: the list has ended */
    bool trial_fresh, trial_line; /* it is at the start of the text, of a line */
    bool trial_object;            /* it has calls as JSON */
    bool trial_list;              /* it has brackets */

    /* ---- The open call ---- */
    lf_phase phase;
    size_t begin;          /* of the call */
    lf_slice token;        /* the name or scalar that is read; end 0: not found yet */
    size_t look;           /* bytes before were searched for the end of the token */
    bool started;          /* its name is known */
    uint64_t start_number; /* of its CALL_START event; UINT64_MAX: none was queued */
    size_t published;      /* arguments up to here were queued */
    size_t hold_at;        /* arguments from here on are dropped; SIZE_MAX: none */
    lf_call call;
    const lf_json *properties; /* of the function's parameters, or NULL */
    bool wants_string;         /* the value is declared as a string */
    lf_open_string string;
    lf_bytes scratch; /* a key or name of a call as JSON */
    lf_member member;
    bool member_key; /* `scratch` is a key */
    bool has_arguments;
    uint32_t skip_depth; /* SKIP: open brackets */
    char skip_quote;     /* SKIP: of the open string, or 0 */
    bool skip_escape;
    uint32_t n_frames;
    lf_frame frames[LF_PARSER_DEPTH];

    /* ---- Results ---- */
    lf_bytes args, strings;
    lf_list calls;    /* lf_call */
    lf_list sections; /* lf_section */
    lf_list queue;    /* lf_event */
    size_t head;      /* the next event */
    uint64_t n_taken; /* events before the first in the queue */
    lf_bytes shown;   /* the text of the last event */
};

/* ---- Results (chat_parser_events.c) ---- */

/* These return false after a failure, which is stored in parser->status. */
bool lf_parser_add(lf_chat_parser *p, lf_bytes *bytes, const char *text, size_t len);
bool lf_parser_grow(lf_chat_parser *p, lf_list *list, size_t item);

/* Makes bytes of the source content or reasoning. */
bool lf_parser_text(lf_chat_parser *p, int32_t kind, size_t begin, size_t end);

/* The same for content, whose white space matters for what may follow. (chat_parser.c) */
bool lf_parser_content(lf_chat_parser *p, size_t begin, size_t end);

/* The open call: its name is known; its arguments up to here are final; it is complete at `end`;
 * it is no call. lf_parser_complete fails (LF_OUTCOME_FAIL) if the arguments are not valid. */
bool lf_parser_start(lf_chat_parser *p, const char *name, size_t len);
bool lf_parser_publish(lf_chat_parser *p);
lf_outcome lf_parser_complete(lf_chat_parser *p, size_t end);
bool lf_parser_withdraw(lf_chat_parser *p);

/* Queues the events of the calls from `first` on, which were not queued yet; or removes them. */
bool lf_parser_release(lf_chat_parser *p, uint32_t first);
void lf_parser_drop(lf_chat_parser *p, uint32_t first);

/* ---- Calls (chat_parser_block.c) ---- */

void lf_parser_begin_block(lf_chat_parser *p, lf_parser_state state, size_t begin, size_t body);

/* Reads the block up to p->limit. */
bool lf_parser_run_block(lf_chat_parser *p);

/* The function of this name in the tools, or NULL. */
const lf_json *lf_parser_tool(const lf_chat_parser *p, const char *name, size_t len);

/* ---- Values (chat_parser_value.c) ---- */

lf_outcome lf_parser_value(lf_chat_parser *p);
lf_outcome lf_parser_scalar(lf_chat_parser *p);
lf_outcome lf_parser_after(lf_chat_parser *p);
lf_outcome lf_parser_value_done(lf_chat_parser *p);
lf_outcome lf_parser_open(lf_chat_parser *p, lf_frame_kind kind);

/* Writes `,` and space between items. */
bool lf_parser_begin_item(lf_chat_parser *p);

/* ---- Calls as JSON (chat_parser_tool.c) ---- */

lf_outcome lf_parser_key(lf_chat_parser *p);
lf_outcome lf_parser_colon(lf_chat_parser *p);
lf_outcome lf_parser_member_value(lf_chat_parser *p, char c);
lf_outcome lf_parser_member_done(lf_chat_parser *p);
lf_outcome lf_parser_close_tool(lf_chat_parser *p);

/* ---- Strings (chat_parser_string.c) ---- */

/* At the opening quote. `prefix`: raw, format. */
lf_outcome lf_parser_open_string(lf_chat_parser *p, lf_sink sink, bool raw, bool format);
lf_outcome lf_parser_string(lf_chat_parser *p);

/* Writes text into a JSON string, or as the sink wants it. */
bool lf_parser_put(lf_chat_parser *p, lf_sink sink, const char *text, size_t len);

/* ---- Quotes (chat_parser_quote.c) ---- */

typedef enum lf_quote {
    LF_QUOTE_ENDS,
    LF_QUOTE_STAYS,   /* it is part of the string */
    LF_QUOTE_JOINS,   /* it ends, and the string after it continues the value */
    LF_QUOTE_UNCLEAR, /* two readings make sense */
    LF_QUOTE_MORE
} lf_quote;

/* The length of the quotes around the open string. */
static inline size_t lf_parser_quote_len(const lf_chat_parser *p)
{
    return p->string.triple ? 3 : 1;
}

/* Whether the quote at p->pos ends the open string. LF_QUOTE_JOINS sets *next to the quote that
 * follows. */
lf_quote lf_parser_quote(lf_chat_parser *p, size_t *next);

/* ---- Characters ---- */

bool lf_parser_is_space(char c);
/* A byte of a name, a number or a word: no white space, bracket, quote, separator or control. */
bool lf_parser_is_word(char c);
/* A letter or digit, or a byte of a character beyond ASCII. */
bool lf_parser_is_letter(char c);
/* The value of a digit in a base up to 16, or -1. */
int lf_parser_digit(char c, unsigned base);

static inline bool lf_parser_is_dict(lf_frame_kind kind)
{
    return kind == LF_FRAME_DICT || kind == LF_FRAME_SPREAD;
}

static inline lf_frame *lf_parser_top(lf_chat_parser *p)
{
    return &p->frames[p->n_frames - 1];
}

/* Skips white space. False if nothing else is there yet. */
bool lf_parser_skip_space(lf_chat_parser *p);

/* Continues the search for the end of the word at p->token.begin. */
lf_outcome lf_parser_word(lf_chat_parser *p);

#endif /* LF_TEXT_CHAT_PARSER_INTERNAL_H */
