// Package ctl is the command-line client: the commands, flags, output and exit codes of legacy etcdctl (API 2), for any
// server that speaks the etcd v2 HTTP API, and some more commands.
//
// Main is the entry: it reads its arguments and ETCDCTL_* variables, talks HTTP through package client, and returns an exit
// code. It keeps no state between calls. It may be called from any goroutine, and from several at once if their writers
// allow it. The goroutine that called Main writes most of the output. Other goroutines write to stderr, too: the refreshing of
// lock and elect, the workers of import, and requests with --debug. So stderr must allow concurrent writes. The commands that
// exec-watch, lock and elect run write both.
//
// Invariants:
//   - The output to stdout and stderr of a command of the legacy client, and its exit code, are the legacy client's, except
//     for help and for the differences below. The transcripts in testdata/ctl are recorded from the legacy client.
//   - A request that may have been carried out is never sent again, unless a repetition can't change the outcome.
//   - A watch that has begun resumes at the index after the last event that it delivered.
//
// Differences from the legacy client:
//   - Help texts differ. The error for an unknown command names the most similar one.
//   - A request that never reached a member goes to the next one, also for mk and rm. A request that may have been carried
//     out and must not happen twice (mk, rm, setdir, compare-and-swap, in-order) is not repeated; the legacy client repeats
//     some of them.
//   - An error that does not say where it happened (EOF, a TLS failure) names the endpoint.
//   - An error about a certificate or key names the file. A --ca-file without certificates is refused. An error of a TLS
//     handshake, and that of plain HTTP to a port that serves HTTPS, says what to do. On a terminal, a refusal because of the
//     credentials is followed by a line of advice.
//   - unix:///PATH and unixs:///PATH are endpoints; the legacy client accepts only unix://NAME:PORT. An endpoint that names a
//     user is refused, so that its password is in no message.
//   - watch and exec-watch resume after a lost connection; with --forever, also after the server has cleared its history.
//     exec-watch runs one command at a time, in order; the legacy client runs them in parallel.
//   - A --ttl that overflows the arithmetic of the legacy client is sent as it is, and the server refuses it.
//   - An answer that is JSON but no event is an error; the legacy client crashes. A password may come from a pipe.
//   - --timeout limits the time until an answer begins, as in the legacy client. In addition, an answer that pauses for half
//     a minute is given up.
//   - If all endpoints that the user gave have TLS, URLs without TLS that the members publish are left out. A redirect from https
//     to http is an error.
//   - HOST:PORT without a scheme is an endpoint; the legacy client refuses it.
//   - An unknown --output is an error before the command does anything; the legacy client runs the command and succeeds.
//   - A command that reads a value or an export from a terminal prints a line on stderr that says so.
//   - On a terminal, warnings on stderr say what the command makes of a likely mistake; see warning.go.
//   - user passwd of a user that does not exist is an error; the legacy client creates the user and prints an empty error.
//   - --debug prints *** in place of a password. At the prompt for a password, CTRL+D is ignored.
//   - backup copies a data directory of Pando; its flags --data-dir and --backup-dir are required.
//
// How a command is built: a method of program returns a cli.Command, and its options set variables of that method. Most
// actions come from writing, reading, readingSubtrees or waiting (session.go): these connect, set the time limit, and call a
// function with the client and the arguments.
//
// The files:
//   - main.go, app.go, globals.go: the run, the list of commands, the global options
//   - session.go, password.go: from the global options to a connected client; stdin, and passwords from a terminal or a pipe
//   - failure.go, output.go: exit codes and errors, the formats of --output
//   - args.go, help.go, suggest.go, warning.go, completion.go: the command line itself
//   - set.go (set, mk, update, rm), dirs.go, read.go (get, ls), watch.go, exec_watch.go, member.go, health.go, user.go,
//     role.go, auth.go: the commands of the legacy client
//   - top.go, tree.go, find.go, du.go, diff*.go, edit*.go, txn.go, export.go, import*.go, endpoint.go, bench.go: more commands
//   - tls.go, tls_init.go and tls_steps.go, tls_check.go and tls_report.go: certificates; these commands work on files, without a
//     server
//   - lock.go, elect.go on acquire.go (one run), contender.go (the key in the queue) and child.go (the command that runs)
//   - mount.go: how commands of other packages (bench, and those of Host) become commands of the client
package ctl
