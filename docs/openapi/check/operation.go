package check

import (
	"net/http"
	"strconv"
	"strings"
)

// operation is what the description says about a request.
type operation struct {
	path      place  // has the parameters of the path
	item      place  // the operation; empty if the method is not described
	described bool   // a path of the description matches
	template  string // this path
}

// Methods returns the described methods of a path of the description, such as /v2/keys/{key}, in capital letters.
func (d *Description) Methods(template string) (methods []string) {
	for _, method := range methodsOfOpenAPI {
		if d.at(place{}, "paths", template, strings.ToLower(method)).object != nil {
			methods = append(methods, method)
		}
	}
	return methods
}

var methodsOfOpenAPI = []string{"GET", "HEAD", "PUT", "POST", "DELETE", "PATCH", "OPTIONS", "TRACE"}

// Paths returns the paths of the description, in no order.
func (d *Description) Paths() (paths []string) {
	for path := range d.at(place{}, "paths").object {
		paths = append(paths, path)
	}
	return paths
}

// Parameters returns the names of the parameters of the query that are described for a method of a path of the description.
func (d *Description) Parameters(template, method string) (names []string) {
	operation := d.at(place{}, "paths", template, strings.ToLower(method))
	list, _ := operation.object["parameters"].([]any)
	for _, entry := range list {
		object, _ := entry.(map[string]any)
		if parameter := d.follow(place{object: object}); parameter.object["in"] == "query" {
			names = append(names, parameter.object["name"].(string))
		}
	}
	return names
}

// Has reports whether a path of the description has an extension, such as x-pando-any-method.
func (d *Description) Has(template, extension string) bool {
	set, _ := d.at(place{}, "paths", template).object[extension].(bool)
	return set
}

// find returns the operation of a request for a path.
func (d *Description) find(method, path string) operation {
	template, found := d.match(path)
	if !found {
		return operation{}
	}
	o := operation{described: true, template: template, path: d.at(place{}, "paths", template)}
	if name := strings.ToLower(method); name != method { // methods are in capital letters
		o.item = d.at(o.path, name)
	}
	return o
}

// match returns the path of the description to which a path of a URL belongs. The last parameter of a path may have slashes. A slash at the
// end has no meaning for a path that has further paths below it.
func (d *Description) match(path string) (string, bool) {
	best := ""
	for _, template := range d.Paths() {
		if matches(template, path) && literals(template) > literals(best) {
			best = template
		}
	}
	if base, cut := strings.CutSuffix(path, "/"); best == "" && cut {
		for _, template := range d.Paths() {
			if strings.HasPrefix(template, base+"/{") {
				return base, true
			}
		}
	}
	return best, best != ""
}

// matches reports whether a path of a URL has the form of a path of the description.
func matches(template, path string) bool {
	for {
		before, rest, parameter := strings.Cut(template, "{")
		if !parameter {
			return template == path
		}
		if !strings.HasPrefix(path, before) || len(path) == len(before) {
			return false
		}
		path = path[len(before):]
		_, template, _ = strings.Cut(rest, "}")
		if template == "" {
			return true
		}
		end := strings.IndexByte(path, '/')
		if end <= 0 {
			return false
		}
		path = path[end:]
	}
}

// literals returns the number of bytes of a path of the description that are not in parameters.
func literals(template string) (n int) {
	for template != "" {
		before, rest, _ := strings.Cut(template, "{")
		n += len(before)
		_, template, _ = strings.Cut(rest, "}")
	}
	return n
}

// responses returns what a request may get with a status: the response of its operation and that of any request.
func (d *Description) responses(o operation, method string, status int) (found []place) {
	code, anyRequest := strconv.Itoa(status), d.anyRequest()
	add := func(p place) {
		if p.object != nil {
			found = append(found, p)
		}
	}
	add(d.at(anyRequest, "responses", code))
	switch {
	case method == http.MethodOptions:
		add(d.at(anyRequest, "options", code))
	case !o.described:
		add(d.at(anyRequest, "otherPath", code))
	case o.item.object == nil:
		add(d.at(anyRequest, "otherMethod", code))
		if d.Has(o.template, "x-pando-any-method") {
			add(d.at(o.path, "get", "responses", code))
		}
	default:
		add(d.at(o.item, "responses", code))
	}
	return found
}

func (d *Description) anyRequest() place { return d.at(place{}, "x-pando-any-request") }
