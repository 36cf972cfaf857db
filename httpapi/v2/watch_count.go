package v2

import (
	"sync"

	"pando/httpapi/stream"
)

// countedWatcher is the watcher of several paths. A watch of n paths counts as n watches for --max-watches, because it needs as much
// memory and time. stream.Config.Ended ends one of them; Close ends the others.
type countedWatcher struct {
	stream.Watcher
	endOthers func() // does nothing after the first call
}

// Close ends the watch. It may be called several times, from any goroutine.
func (w *countedWatcher) Close() {
	w.Watcher.Close()
	w.endOthers()
}

// countPaths makes Close of the watcher end the n-1 watches that stream.Config.Ended does not end.
func (a *API) countPaths(watch *stream.Watch, n int) {
	if n > 1 {
		watch.Watcher = &countedWatcher{watch.Watcher, sync.OnceFunc(func() { a.Watches.EndAll(n - 1) })}
	}
}
