// Package v3 is the command line of pando ctl for the etcd v3 API: the commands, flags, variables, output and exit codes of etcdctl 3.7,
// for every server that speaks that API. It runs in place of package ctl when ETCDCTL_API is 3.
//
// Main is the entry: it returns an exit code and keeps no state between calls. It may be called from any goroutine. The goroutine that
// called Main writes the output, except for the commands that lock and watch run.
//
// Invariants:
//   - The output to stdout of a command, its exit code, and the first line of its error are those of etcdctl 3.7, except for help and for
//     the differences below. The tests run etcdctl and this package against the same server and compare.
//   - A command that can't be executed because of its arguments or flags sends nothing.
//
// Differences from etcdctl:
//   - An error is one line on stderr, in place of lines of JSON. A second line says what to do, where there is something.
//   - A --write-out that a command does not have is an error before the command is executed.
//   - More arguments than a command takes are an error, where etcdctl drops them.
//   - A condition of txn that etcdctl answers with a panic (an unknown operator, a lease without its number) is an error.
//   - watch continues after its member is gone, at the revision after the last event.
//   - user passwd and user add read a password from a pipe without calling stty.
//   - snapshot status and snapshot restore are commands, as in etcdctl 3.5. restore makes a data directory of Pando: etcdutl restores for
//     etcd.
//   - Endpoints with TLS and without may be mixed.
//   - An unknown command of a group is an error. -w protobuf of the commands about leases prints the whole message.
//
// How a command is built: a method of program returns a *cli.Command, whose flags set variables of that method. Most actions come from
// calling (session.go), which connects and sets the time limit.
//
// The files:
//   - main.go, app.go, flags.go, globals.go, help.go: the run, the list of commands, the command line
//   - session.go, failure.go: from the global flags to a connected client; errors and exit codes
//   - print.go, table.go: the formats of --write-out
//   - keys.go: the arguments and flags that name keys
//   - put.go, get.go, del.go, compaction.go, txn.go and txn_parse.go, watch.go, watch_interactive.go and watch_exec.go: keys
//   - lease.go, lock.go, elect.go: leases and what is built on them
//   - endpoint.go, health.go, member.go, alarm.go, maintenance.go, downgrade.go, snapshot.go and
//     snapshot_status.go, snapshot_restore.go: the cluster
//   - auth.go, user.go, role.go: users and roles
//   - mirror.go, check.go and load.go, version.go: the rest
package v3
