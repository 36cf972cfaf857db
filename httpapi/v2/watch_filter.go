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
		if event == nil || err != nil || w.actions.has(event.Action()) {
			return event, err
		}
	}
}

// filter makes the watch return only events that have one of the actions.
func (o *watchOptions) filter(watch *stream.Watch) error {
	if o.actions == 0 {
		return nil
	}
	filtered := &filteredWatcher{watch.Watcher, o.actions}
	watch.Watcher = filtered
	if watch.First == nil || o.actions.has(watch.First.Action()) {
		return nil
	}
	var err error
	watch.First, err = filtered.Poll()
	return err
}
