/*
 * Everything bawn says about itself. To stderr, one line each, beginning "bawn: "; an error with a
 * place also shows the source line and marks the words meant (spec 3.2). After print_json() every
 * message is one JSON object a line instead (spec 0.2).
 */
#ifndef BAWN_CLI_PRINT_H
#define BAWN_CLI_PRINT_H

#include "base/error.h"
#include "base/str.h"

#include <stdbool.h>

/* What bawn exits with (spec 0.2). */
enum { EXIT_BROKEN = 1, EXIT_USAGE = 2, EXIT_REFUSED = 3, EXIT_SETUP = 125 };

void print_json(bool on);
void print_quiet(bool on); /* warnings are not printed */

/* Prints ERR and returns STATUS, so that `return cli_error(&err, EXIT_USAGE)` reads well. STATUS
 * also gives the word that stands under "error" in JSON. */
int cli_error(const struct error *err, int status);
/* The same from a format; for what needs no place. */
int cli_failure(int status, const char *fmt, ...) _printf_(2, 3);
void print_warning(const char *fmt, ...) _printf_(1, 2);
void print_warning_text(const char *text);
/* N lines, each once. */
void print_warnings(const char *const *lines, size_t n);
/* "bawn: TEXT" for -v. */
void print_note(const char *fmt, ...) _printf_(1, 2);

/* What error_print() would write for ERR: for tests, and for those who print elsewhere. */
void print_error_text(const struct error *err, struct strbuf *out);
void print_error_json(const struct error *err, const char *kind, struct strbuf *out);

/* A command's result to stdout. Returns 0, or EXIT_BROKEN after saying that it could not be
 * written. */
int print_out(const struct strbuf *out);

#endif
