/* What ssh connects through in a filtered network. See connector.c. */
#ifndef BAWN_CLI_CONNECTOR_H
#define BAWN_CLI_CONNECTOR_H

#include <stdbool.h>

/* Was bawn started under the connector's name? */
bool connector_is_meant(const char *argv0);
int connector_main(int argc, char **argv);

#endif
