package storage

// ReadStopped reads and checks the data of a stopped member, and changes nothing. HardState and Entries hold everything that is
// in the log, also the entries at its end that may not be committed. A torn last write to the log is ignored. The history of the
// tree is loaded whole, and o.HistorySize is ignored. If the directory has a lock file, as after each start of a member, no member can be
// started from it until ReadStopped returns.
//
// The errors are ErrNoData, ErrLocked while a member runs, and those of Open.
func ReadStopped(o Options) (*Recovered, error) {
	p, err := o.paths()
	if err != nil {
		return nil, err
	}
	if err := p.requireData(); err != nil {
		return nil, err
	}
	lock, err := lockUnchanged(p.lock)
	if err != nil {
		return nil, err
	}
	if lock != nil {
		defer lock.Close()
	}
	data, err := loadState(p.state, maxSnapshotHistory)
	if err != nil {
		return nil, err
	}
	return p.readLog(data)
}

// LoadSnapshot reads and checks a whole snapshot file. The result has no entries. Its Identity is that of the member that saved the
// file. The history of the tree is loaded whole.
//
// The errors are those of InspectSnapshot.
func LoadSnapshot(path string) (*Recovered, error) {
	f, err := openSnapshot(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := f.load(path)
	if err != nil {
		return nil, err
	}
	return (&scan{replay: replay{start: data.meta.position}}).recovered(data)
}
