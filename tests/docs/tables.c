/*
 * Prints the tables that the manual has to agree with, one row a line, for tests/docs/run:
 *
 *   key NAME <TAB> DEFAULT <TAB> PROJECT   of src/config/keys_config.c; what a project's file may
 * do required NAME <TAB> DEFAULT <TAB>  of src/config/keys_requirements.c option COMMAND-BITS NAME
 * LETTER    of src/cli/options.c ("-" without a letter) status NAME NUMBER                 what
 * bawn itself exits with
 */
#include "cli/options.c"
#include "cli/print.h"
#include "config/keys.h"

#include <stdio.h>

const struct subcommand commands[] = {{0}};

int main(void)
{
    for (size_t i = 0; i < config_keys.n; i++)
        printf("key %s\t%s\t%s\n", config_keys.keys[i].name, config_keys.keys[i].fallback,
               config_keys.keys[i].project == PROJECT_NO
                   ? ""
                   : key_project_words(config_keys.keys[i].project));
    for (size_t i = 0; i < requirement_keys.n; i++)
        printf("required %s\t%s\t\n", requirement_keys.keys[i].name,
               requirement_keys.keys[i].fallback);
    for (const struct option *o = options_table; o->name; o++)
        printf("option %u %s %c\n", o->commands, o->name, o->letter ? o->letter : '-');
    printf("bits %u %u %u %u %u %u %u %u %u %u %u\n", FOR_SANDBOX, FOR_EXPLAIN, FOR_DENIALS,
           FOR_DOCTOR, FOR_TRUST, FOR_UNTRUST, FOR_CONFIG, FOR_STATUS, FOR_RUN, FOR_RULES,
           FOR_AUDIT);
    printf("status broken %d\nstatus usage %d\nstatus refused %d\nstatus setup %d\n", EXIT_BROKEN,
           EXIT_USAGE, EXIT_REFUSED, EXIT_SETUP);
    return 0;
}
