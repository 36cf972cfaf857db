package etcdv2

import (
	"errors"
	"fmt"
	"regexp"
)

// applier carries out the entries of the log on the model.
type applier struct {
	store *store
	v3    []entry // the requests that change data of v3, in order
}

// memberAttributes matches the key of a member's attributes. It is not bound to the beginning of the path, as in etcd.
var memberAttributes = regexp.MustCompile("/0/members/[[:xdigit:]]{1,16}/attributes")

const versionKey = clusterSpace + "/version"

// errStopsEtcd means that etcd stops, too, when it applies the entry.
var errStopsEtcd = errors.New("etcd can't apply it either")

// apply carries out one committed entry.
func (a *applier) apply(e entry) error {
	switch {
	case e.kind == confChangeEntry:
		return a.changeMembers(e.data)
	case e.kind != normalEntry:
		return fmt.Errorf("unknown type %d of an entry", e.kind)
	case len(e.data) == 0:
		return nil
	}
	c, err := decodeCommand(e.data)
	switch {
	case err != nil:
		return err
	case c.request != nil:
		return a.execute(c.request)
	case c.version != "":
		return a.setVersion(c.version)
	case c.attributes != nil:
		return a.setAttributes(c.attributes.memberID)
	}
	if c.v3 {
		a.v3 = append(a.v3, e)
	}
	return nil
}

// execute carries out a v2 request. A request that the store refuses changes nothing, and is no error.
func (a *applier) execute(r *request) error {
	s := a.store
	c := change{path: r.path, value: r.value, dir: r.dir, expires: r.expiration, refresh: r.refresh}
	compares := r.prevIndex > 0 || r.prevValue != ""
	switch r.method {
	case "POST":
		s.createInOrder(c)
	case "PUT":
		switch {
		case r.prevExist != nil && !*r.prevExist:
			s.create(c)
		case compares:
			s.compareAndSwap(c, r.prevValue, r.prevIndex)
		case r.prevExist != nil:
			s.update(c)
		default:
			return a.put(c)
		}
	case "DELETE":
		if compares {
			s.compareAndDelete(r.path, r.prevValue, r.prevIndex)
		} else {
			s.delete(r.path, r.removable())
		}
	case "SYNC":
		s.expire(r.time)
	}
	return nil // QGET changes nothing, and etcd refuses all other methods
}

// put carries out a PUT without conditions. Members and versions have keys of their own.
func (a *applier) put(c change) error {
	switch {
	case memberAttributes.MatchString(c.path):
		id, err := memberIDAbove(c.path)
		if err != nil {
			return err
		}
		return a.setAttributes(id)
	case c.path == versionKey:
		return a.setVersion(c.value)
	}
	a.store.set(c)
	return nil
}

// setVersion sets the version of the cluster.
func (a *applier) setVersion(version string) error {
	if !a.store.set(change{path: versionKey, value: version}) {
		return fmt.Errorf("the version of the cluster can't be set: %w", errStopsEtcd)
	}
	return nil
}

// removable returns what a DELETE may remove.
func (r *request) removable() removable {
	switch {
	case r.recursive:
		return wholeDir
	case r.dir:
		return emptyDir
	}
	return onlyFile
}
