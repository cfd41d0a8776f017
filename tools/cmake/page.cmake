# SPDX-License-Identifier: Apache-2.0
# Writes the chat page as a C file: its bytes, and the header lines that allow exactly its own scripts
# and styles, by their hashes.
#   cmake -DPAGE=page.html -DOUTPUT=page.c -P page.cmake

# base64(HEX OUT): the bytes of a hexadecimal text in base64.
function(base64 hex out)
  set(alphabet ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/)
  set(text "")
  string(LENGTH "${hex}" n)
  set(i 0)
  while(i LESS n)
    string(SUBSTRING "${hex}" ${i} 6 group)
    string(LENGTH "${group}" digits)
    string(SUBSTRING "${group}0000" 0 6 group)
    math(EXPR bits "0x${group}")
    foreach(shift 18 12 6 0)
      math(EXPR index "(${bits} >> ${shift}) & 63")
      string(SUBSTRING ${alphabet} ${index} 1 letter)
      # Two digits are a byte; the first has 2 letters, each other one 1 more.
      math(EXPR used "3 - ${shift} / 6")
      math(EXPR letters "${digits} / 2")
      if(used GREATER letters)
        set(letter "=")
      endif()
      string(APPEND text "${letter}")
    endforeach()
    math(EXPR i "${i} + 6")
  endwhile()
  set(${out} "${text}" PARENT_SCOPE)
endfunction()

# hashes(TAG OUT): " 'sha256-...'" for each <TAG ...>TEXT</TAG> of the page.
function(hashes tag out)
  set(list "")
  set(rest "${page}")
  string(FIND "${rest}" "<${tag}" at)
  while(NOT at EQUAL -1)
    string(SUBSTRING "${rest}" ${at} -1 rest)
    string(FIND "${rest}" ">" at)
    math(EXPR at "${at} + 1")
    string(SUBSTRING "${rest}" ${at} -1 rest)
    string(FIND "${rest}" "</${tag}>" end)
    if(end EQUAL -1)
      message(FATAL_ERROR "${PAGE}: <${tag}> does not end")
    endif()
    string(SUBSTRING "${rest}" 0 ${end} content)
    string(SHA256 hex "${content}")
    base64(${hex} hash)
    string(APPEND list " 'sha256-${hash}'")
    string(SUBSTRING "${rest}" ${end} -1 rest)
    string(FIND "${rest}" "<${tag}" at)
  endwhile()
  if(list STREQUAL "")
    set(list " 'none'")
  endif()
  set(${out} "${list}" PARENT_SCOPE)
endfunction()

file(READ "${PAGE}" page)
file(READ "${PAGE}" hex HEX)
string(LENGTH "${hex}" digits)
math(EXPR length "${digits} / 2")
string(REGEX REPLACE "(................................)" "\\1\n" hex "${hex}")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," hex "${hex}")
hashes(script scripts)
hashes(style styles)
file(WRITE "${OUTPUT}" "/* Written by page.cmake from page.html. */
#include <stddef.h>
extern const unsigned char http_page[];
extern const size_t http_page_len;
extern const char http_page_policy[];
const unsigned char http_page[] = {
${hex}0};
const size_t http_page_len = ${length};
const char http_page_policy[] =
    \"Content-Security-Policy: default-src 'none'; script-src${scripts}; \"
    \"style-src${styles}; connect-src 'self'; img-src 'self' data:; base-uri 'none'; \"
    \"form-action 'none'; frame-ancestors 'none'\\r\\n\"
    \"Referrer-Policy: no-referrer\\r\\nCache-Control: no-cache\\r\\n\";
")
