// Package program is the command line of the whole of Pando: the server, which runs when there is no verb, and the verbs (ctl, snapshot,
// import-etcd, import-etcd-config, migrate, export-etcd). It explains mistakes in the command line, and turns the end of each command into
// an exit code for a supervisor.
//
// Package main calls Main, and so do tests that start the program as a process. Main runs on the goroutine of the caller and
// handles the signals of the process, so it must not run twice at the same time.
//
// The files:
//   - program.go: Main, the verbs, and the start of the server
//   - exit.go: exit codes and error messages
//   - help.go, suggest.go: the text of --help, and the errors for mistakes in the command line
//   - client.go: the verb ctl, and the commands that this program adds to the client
//   - snapshot.go, snapshot_save.go, snapshot_status.go, snapshot_restore.go: the group "snapshot", a verb here and a command of
//     the client
//   - import_etcd.go, export_etcd.go: the verbs "import-etcd" and "export-etcd"; import_report.go prints what they found;
//     restore_backend.go: "snapshot restore" of the client for the v3 API
//   - import_config.go: the verb "import-etcd-config"; import_config_read.go reads the settings of etcd
//   - migrate.go: the verb "migrate", and the connections to both sides; migrate_follow.go, migrate_compare.go, migrate_switch.go and
//     migrate_status.go: what it and its verbs print
//   - backup.go: the command "backup" of the client
package program
