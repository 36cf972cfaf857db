package v2

import (
	"pando/httpapi/stream"
	"pando/tree"
)

// filteredWatcher returns the events of a watcher that have one of the actions.
type filteredWatcher struct {
	stream.Watcher
	actions actionSet
}

// Poll returns the next event that has one of the actions.
func (w *filteredWatcher) Poll() (*tree.Event, error) {
	for {
		event, err := w.Watcher.Poll()
		if event == nil || err != nil || w.wants(event) {
			return event, err
		}
	}
}

// wants reports whether an event has one of the actions. If a part has not, the other parts of the same removal are not even polled: there
// may be millions of them.
func (w *filteredWatcher) wants(event *tree.Event) bool {
	if w.actions.has(event.Action()) {
		return true
	}
	if parts, ok := w.Watcher.(interface{ SkipParts() }); ok && event.Part() != 0 {
		parts.SkipParts()
	}
	return false
}

// filter makes the watch return only events that have one of the actions.
func (o *watchOptions) filter(watch *stream.Watch) error {
	if o.actions == 0 {
		return nil
	}
	filtered := &filteredWatcher{watch.Watcher, o.actions}
	watch.Watcher = filtered
	if watch.First == nil || filtered.wants(watch.First) {
		return nil
	}
	var err error
	watch.First, err = filtered.Poll()
	return err
}
