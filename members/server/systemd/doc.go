// Package systemd reports the state of this process to systemd, by the protocol of sd_notify(3), and runs what SIGHUP asks for.
//
// A Service does nothing if the environment has no NOTIFY_SOCKET, so callers need no condition. All methods may be called from any
// goroutine. A message that can't be sent within a second is dropped, so that systemd never blocks a member, except that the process is
// ready, which is sent again. The first lost message is logged.
//
//   - notify.go: the states of a service: starting, ready, stopping
//   - reload.go: SIGHUP, and the functions that it runs
//   - watchdog.go: the answers to systemd's watchdog
package systemd
