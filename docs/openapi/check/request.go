package check

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// checkRequest checks the described parameters and the body of a request that has succeeded.
func (d *Description) checkRequest(o operation, e *Exchange) error {
	form, err := d.checkRequestBody(o, e)
	if err != nil {
		return err
	}
	query := e.URL.Query()
	for _, from := range []place{o.path, o.item} {
		list, _ := from.object["parameters"].([]any)
		for i, entry := range list {
			object, _ := entry.(map[string]any)
			parameter := d.follow(place{fmt.Sprintf("%s/parameters/%d", from.pointer, i), object})
			name, _ := parameter.object["name"].(string)
			var values []string
			switch parameter.object["in"] {
			case "query":
				if values = query[name]; form[name] != nil {
					continue // the form takes precedence
				}
			case "header":
				values = e.Header[http.CanonicalHeaderKey(name)]
			}
			if len(values) == 0 {
				continue
			}
			if err := d.validateParameter(parameter, values); err != nil {
				return fmt.Errorf("the parameter %s: %q: %w", name, values, err)
			}
		}
	}
	return nil
}

// validateParameter validates the values of a parameter. Of several values of a parameter that is no list the first one counts.
func (d *Description) validateParameter(parameter place, values []string) error {
	pointer := parameter.pointer + "/schema"
	if d.at(parameter, "schema").object["type"] != "array" {
		return d.validateText(pointer, values[0])
	}
	if explode, given := parameter.object["explode"].(bool); given && !explode {
		values = strings.Split(values[0], ",")
	}
	list := []any{}
	for _, value := range values {
		list = append(list, value)
	}
	return d.validate(pointer, list)
}

const formType = "application/x-www-form-urlencoded"

// checkRequestBody checks the body of a request. It returns the parameters of a form.
func (d *Description) checkRequestBody(o operation, e *Exchange) (form url.Values, err error) {
	body := d.at(o.item, "requestBody")
	if body.object == nil {
		return nil, nil
	}
	if required, _ := body.object["required"].(bool); required && len(e.RequestBody) == 0 {
		return nil, fmt.Errorf("a request without a body has succeeded")
	}
	kind := e.Header.Get("Content-Type")
	media, ok := d.mediaType(d.at(body, "content"), kind)
	if !ok {
		return nil, fmt.Errorf("the content type %q of the request is not described", kind)
	}
	var value any = string(e.RequestBody)
	switch {
	case strings.HasSuffix(media.pointer, "/"+escapePointer.Replace(formType)):
		if form, err = url.ParseQuery(string(e.RequestBody)); err != nil {
			return nil, err
		}
		fields := map[string]any{}
		for name := range form {
			fields[name] = form.Get(name)
		}
		value = fields
	default:
		decoder := json.NewDecoder(bytes.NewReader(e.RequestBody)) // servers ignore what follows the first value
		decoder.UseNumber()
		var decoded any
		if decoder.Decode(&decoded) == nil {
			value = d.withNames(d.at(media, "schema"), decoded)
		}
	}
	if err := d.validate(media.pointer+"/schema", value); err != nil {
		return nil, fmt.Errorf("the body of the request %.500q: %w", e.RequestBody, err)
	}
	return form, nil
}

// withNames returns an object with the described names of its members: servers accept names with other capital letters. Other values are
// returned as they are.
func (d *Description) withNames(schema place, value any) any {
	object, ok := value.(map[string]any)
	if !ok {
		return value
	}
	named := map[string]any{}
	for name, member := range object {
		for described := range d.at(schema, "properties").object {
			if strings.EqualFold(name, described) {
				name = described
			}
		}
		named[name] = member
	}
	return named
}
