package check

import (
	"bytes"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Exchange is a request and its response.
type Exchange struct {
	Method      string
	URL         *url.URL
	Header      http.Header // of the request
	RequestBody []byte

	Status   int
	Response http.Header
	Body     []byte
	// Incomplete says that the end of the Body was not received.
	Incomplete bool
}

// Check returns an error if the description does not allow the exchange.
func (d *Description) Check(e *Exchange) error {
	o := d.find(e.Method, e.URL.Path)
	err := d.checkResponse(o, e)
	if err == nil && e.Status < http.StatusMultipleChoices && o.item.object != nil {
		err = d.checkRequest(o, e)
	}
	if err != nil {
		return fmt.Errorf("docs/openapi does not describe this: %s %s: status %d: %w", e.Method, shorten(e.URL.String()), e.Status, err)
	}
	return nil
}

// shorten returns the beginning of a text for an error.
func shorten(text string) string { return fmt.Sprintf("%.300s", text) }

// CheckUnread returns an error if the description does not allow a response to a request that is not valid HTTP.
func (d *Description) CheckUnread(status int, header http.Header, body []byte) error {
	return d.Check(&Exchange{Method: http.MethodGet, URL: &url.URL{Path: "*"}, Status: status, Response: header, Body: body})
}

// checkResponse checks the response of an exchange.
func (d *Description) checkResponse(o operation, e *Exchange) error {
	candidates := d.responses(o, e.Method, e.Status)
	if len(candidates) == 0 {
		return errors.New("no response with this status is described")
	}
	var errs []error
	for _, response := range candidates {
		err := d.checkHeaders(response, e.Response)
		if err == nil {
			err = d.checkBody(response, e)
		}
		if err == nil {
			return nil
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// checkHeaders checks the headers of a response.
func (d *Description) checkHeaders(response place, header http.Header) error {
	described := map[string]place{}
	for _, from := range []place{d.at(d.anyRequest(), "headers"), d.at(response, "headers")} {
		for name := range from.object {
			described[http.CanonicalHeaderKey(name)] = d.at(from, name)
		}
	}
	for name, values := range header {
		if name == "Content-Type" {
			continue
		}
		definition, ok := described[name]
		if !ok {
			return fmt.Errorf("the header %s: %q is not described", name, values)
		}
		for _, value := range values {
			if err := d.validateText(definition.pointer+"/schema", value); err != nil {
				return fmt.Errorf("the header %s: %q: %w", name, value, err)
			}
		}
	}
	for name, definition := range described {
		if required, _ := definition.object["required"].(bool); required && header[name] == nil {
			return fmt.Errorf("the header %s is missing", name)
		}
	}
	return nil
}

// checkBody checks the content type and the body of a response.
func (d *Description) checkBody(response place, e *Exchange) error {
	content := d.at(response, "content")
	if e.Method == http.MethodHead {
		return nil
	}
	if content.object == nil {
		if len(e.Body) > 0 {
			return fmt.Errorf("no body is described: %.300q", e.Body)
		}
		return nil
	}
	kind := e.Response.Get("Content-Type")
	media, ok := d.mediaType(content, kind)
	if len(e.Body) == 0 && kind == "" {
		for name := range content.object { // a body that may be empty needs no type
			media, ok = d.at(content, name), true
		}
	}
	if !ok {
		return fmt.Errorf("the content type %q is not described", kind)
	}
	if empty, _ := media.object["x-pando-may-be-empty"].(bool); empty && len(e.Body) == 0 {
		return nil
	}
	if media.object["x-pando-lines"] != nil && isWatch(e) {
		return d.checkLines(media, e)
	}
	if e.Incomplete {
		return nil
	}
	return d.validateBody(media.pointer+"/schema", kind, e.Body)
}

// mediaType returns the entry of a content for a content type: that with the same parameters, that without parameters, or that of any type.
func (d *Description) mediaType(content place, kind string) (place, bool) {
	media, _, _ := mime.ParseMediaType(kind) // an invalid type has no entry but that of any type
	for _, name := range []string{kind, media, "*/*"} {
		if content.object[name] != nil {
			return d.at(content, name), true
		}
	}
	return place{}, false
}

// validateBody validates a body: as JSON if the content type says so, and otherwise as a text.
func (d *Description) validateBody(pointer, kind string, body []byte) error {
	if !strings.HasPrefix(kind, "application/json") {
		return d.validate(pointer, string(body))
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err == nil {
		err = d.validate(pointer, value)
	}
	if err != nil {
		return fmt.Errorf("the body %.500q: %w", body, err)
	}
	return nil
}

// validateText validates the text of a header or a parameter, which may stand for a number.
func (d *Description) validateText(pointer, text string) error {
	err := d.validate(pointer, text)
	if err == nil {
		return nil
	}
	if _, parseErr := strconv.ParseFloat(text, 64); parseErr != nil {
		return err
	}
	number, numberErr := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if numberErr != nil {
		return err
	}
	return d.validate(pointer, number)
}
