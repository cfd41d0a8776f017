/* SPDX-License-Identifier: Apache-2.0 */
/* Declares the stack, the frames and the variables of the renderer. */
#ifndef LF_TEXT_TEMPLATE_VM_H
#define LF_TEXT_TEMPLATE_VM_H

#include "text/template/code.h"

typedef enum { TPL_FRAME_SCOPE, TPL_FRAME_CAPTURE, TPL_FRAME_LOOP, TPL_FRAME_CALL } tpl_frame_type;

typedef struct tpl_frame {
    tpl_frame_type type;
    tpl_scope *scope; /* to restore */
    tpl_text *out;    /* to restore */
    tpl_text *text;   /* CAPTURE, CALL: what is written */
    tpl_loop *loop;
    tpl_value kept; /* LOOP that filters: a list */
    bool filters;   /* LOOP: without the variable loop */
    bool marked;    /* LOOP: an iteration was completed */
    uint32_t back;  /* CALL: the next instruction */
    uint32_t line;  /* CALL */
    uint32_t given; /* CALL: parameters with an argument, one bit each */
} tpl_frame;

/* Makes space on the stack. Called once before the first instruction: so a pointer into the stack
 * is valid even while it is empty. */
int32_t tpl_stack_grow(tpl_vm *vm);

int32_t tpl_push(tpl_vm *vm, tpl_value v);
tpl_value tpl_pop(tpl_vm *vm);
tpl_value *tpl_top(tpl_vm *vm);

int32_t tpl_push_frame(tpl_vm *vm, tpl_frame_type type, tpl_scope *parent, tpl_frame **out);
void tpl_pop_frame(tpl_vm *vm);
tpl_frame *tpl_top_frame(tpl_vm *vm);

tpl_value tpl_load(tpl_vm *vm, uint32_t name);
int32_t tpl_store(tpl_vm *vm, uint32_t name, tpl_value v);
void tpl_clear_scope(tpl_vm *vm, tpl_scope *scope);

/* Calls the value below the arguments on the stack. */
int32_t tpl_call(tpl_vm *vm, size_t n, size_t n_named);
int32_t tpl_return(tpl_vm *vm);

int32_t tpl_run(tpl_vm *vm);

#endif /* LF_TEXT_TEMPLATE_VM_H */
