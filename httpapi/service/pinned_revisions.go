package service

import (
	"slices"
	"time"

	"pando/tree"
)

// pinnedRevision is a reader of an earlier revision that is kept for the next pages of a list of keys.
type pinnedRevision struct {
	keys       tree.KeyReader
	superseded int64 // Store.SupersededBytes when the reader was pinned
	made, used time.Time
}

// keysAt returns a reader of the keys at a revision, or at the current one if revision is 0. The reader of an earlier revision undoes the
// events since then, unless keep has kept one. The error has CodeCompacted or CodeFutureRevision.
func (p *pinnedViews) keysAt(revision uint64) (tree.KeyReader, error) {
	view := p.tree.View()
	if revision == 0 {
		return view, nil
	}
	if revision >= view.CompactRevision() { // a kept reader must not hide that the revision was compacted
		if keys := p.kept(revision); keys != nil {
			return keys, nil
		}
	}
	keys, err := p.tree.At(revision)
	if err != nil {
		return nil, err
	}
	return keys, nil
}

// kept returns the reader that is kept for a revision, or nil.
func (p *pinnedViews) kept(revision uint64) tree.KeyReader {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.release()
	i := p.findRevision(revision)
	if i < 0 {
		return nil
	}
	p.revisions[i].used = p.now()
	return p.revisions[i].keys
}

// findRevision returns the place of a revision in revisions, or -1. Callers must hold mu.
func (p *pinnedViews) findRevision(revision uint64) int {
	return slices.IndexFunc(p.revisions, func(one *pinnedRevision) bool { return one.keys.Revision() == revision })
}

// keep keeps a reader for later calls of keysAt, within the limits of pinned views. It is for an answer that does not have all keys of its
// range: the requests for the others will name the same revision.
func (p *pinnedViews) keep(keys tree.KeyReader) {
	if p.limits.Views == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.findRevision(keys.Revision()) >= 0 {
		return
	}
	if len(p.revisions) == p.limits.Views {
		p.dropRevision()
	}
	now := p.now()
	p.revisions = append(p.revisions, &pinnedRevision{keys: keys, superseded: p.tree.SupersededBytes(), made: now, used: now})
	p.startSweeper()
}

// dropRevision releases the revision that was not read for the longest time. Callers must hold mu.
func (p *pinnedViews) dropRevision() {
	oldest := slices.MinFunc(p.revisions, func(a, b *pinnedRevision) int { return a.used.Compare(b.used) })
	p.revisions = slices.DeleteFunc(p.revisions, func(one *pinnedRevision) bool { return one == oldest })
}

// releaseRevisions releases the revisions that are older than the limits allow, and others while there are too many bytes. Callers must
// hold mu.
func (p *pinnedViews) releaseRevisions(now time.Time) {
	p.revisions = slices.DeleteFunc(p.revisions, func(one *pinnedRevision) bool {
		return now.Sub(one.used) >= p.limits.Idle || now.Sub(one.made) >= maxPinAge
	})
	for len(p.revisions) > 0 && p.revisionBytes() > p.limits.Bytes {
		p.dropRevision()
		p.released++
	}
}

// revisionBytes returns an estimate of the memory that the pinned revisions keep beyond that of the current view. A reader of an earlier
// revision keeps at most the pages of the changes since that revision, and what was superseded since it was made. Callers must hold mu.
func (p *pinnedViews) revisionBytes() (bytes int64) {
	view, superseded := p.tree.View(), p.tree.SupersededBytes()
	whole := view.Bytes() + pinnedNode*view.Nodes()
	for _, one := range p.revisions {
		changes := int64(view.Revision() - one.keys.Revision())
		bytes += min(whole+superseded-one.superseded, superseded-one.superseded+pinnedChange*changes)
	}
	return bytes
}
