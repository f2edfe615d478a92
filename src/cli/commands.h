/*
 * The subcommands, one file each: parsing, printing, exit codes and nothing else. argv[0] is the
 * command's name; each returns what bawn exits with.
 */
#ifndef BAWN_CLI_COMMANDS_H
#define BAWN_CLI_COMMANDS_H

int cmd_sandbox(int argc, char **argv);
int cmd_run(int argc, char **argv);
int cmd_rules(int argc, char **argv);
int cmd_audit(int argc, char **argv);
int cmd_bwrap(int argc, char **argv);
int cmd_explain(int argc, char **argv);
int cmd_permissions(int argc, char **argv);
int cmd_denials(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_config(int argc, char **argv);
int cmd_trust(int argc, char **argv);
int cmd_untrust(int argc, char **argv);
int cmd_status(int argc, char **argv);
int cmd_completion(int argc, char **argv);
int cmd_help(int argc, char **argv);

#endif
