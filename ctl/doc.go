// Package ctl is the command-line client: the commands, flags, output and exit codes of legacy etcdctl (API 2), for any
// server that speaks the etcd v2 HTTP API.
//
// Main is the whole of it: it reads its arguments and ETCDCTL_* variables, talks HTTP, and returns an exit code. It keeps
// no state between calls and may be called from any goroutine, several times at once if the writers stand that; what a
// command prints, it prints from the goroutine that called Main (exec-watch: and from the commands it runs).
//
// Invariants:
//   - What the legacy client prints to stdout and stderr, and its exit code, stay as they are; help texts and cases that
//     it gets wrong may be better (see below).
//   - A request that may have been carried out is never sent a second time, unless a repetition can't change the outcome.
//   - A watch that has begun resumes at the index after the last event that it delivered.
//
// Where it parts from the legacy client:
//   - Help texts are ours; an unknown command is answered with the nearest one too.
//   - A request that never reached a member goes to the next one, also mk and rm; one that may have been carried out and
//     must not happen twice (mk, rm, setdir, compare-and-swap, in-order) is not repeated, where the legacy client
//     repeats some of them.
//   - An error that does not say where it happened (EOF, a TLS failure) names the endpoint.
//   - A certificate or key that can't be used names its file, and a --ca-file without certificates is refused.
//   - watch and exec-watch resume after a lost connection instead of ending; with --forever they outlive a cleared
//     history. exec-watch runs one command at a time, in order; the legacy client runs them side by side.
//   - A --ttl that overflows the legacy client's arithmetic is sent as it is, for the server to refuse.
//   - An answer that is JSON but no event is an error, not a crash; a password typed without a terminal gives no noise.
//   - --timeout ends with the beginning of an answer, as there; besides, an answer that pauses for half a minute is given up.
//   - HOST:PORT without a scheme is an endpoint; the legacy client's parser refuses it.
//   - An --output that does not exist is an error before anything is done, where the legacy client does it and exits with 0.
//   - What reads a terminal says so on it.
//   - backup copies the data directory of a Pando; its flags --data-dir and --backup-dir are not optional.
//   - Host is what the program around it does for it: the client itself knows HTTP alone.
//
// Each group of commands is a list of cli.Command built in commands.go; another group (users and roles, say) is one more
// function there and a file of its own.
package ctl
