package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/aitgithub/telemetry-server/engine/measures"
	"github.com/aitgithub/telemetry-server/revisions"
)

// measureNames lists the days, with their freshness, and all measures.
func (p *page) measureNames(*http.Request) (any, error) {
	p.days.Requested()
	days, names := p.days.Contents()
	return struct {
		Days     []measures.DayStatus `json:"days"`
		Measures []measures.Name      `json:"measures"`
	}{append([]measures.DayStatus{}, days...), append([]measures.Name{}, names...)}, nil
}

// measureSums answers ?measure=NAME&FIELD=VALUE…&from=DATE&to=DATE&by=FIELD&across=FIELD.
func (p *page) measureSums(r *http.Request) (any, error) {
	p.days.Requested()
	values := r.URL.Query()
	q := measures.Query{
		Measure: values.Get("measure"), From: values.Get("from"), To: values.Get("to"),
		By: values.Get("by"), Across: values.Get("across"), Where: map[string][]string{},
	}
	for field, chosen := range values {
		switch {
		case slices.Contains(measures.Fields, field):
			q.Where[field] = chosen
		case !slices.Contains([]string{"measure", "from", "to", "by", "across"}, field):
			return nil, badRequest(fmt.Errorf("%q is no parameter", field))
		}
	}
	if q.Measure == "" {
		return nil, badRequest(errors.New("measure is missing"))
	}
	if err := q.Validate(); err != nil {
		return nil, badRequest(err)
	}
	return p.days.Query(q)
}

// measureDefinition answers ?measure=NAME with what the newest definitions at hand say of
// it; known is false if there are none.
func (p *page) measureDefinition(r *http.Request) (any, error) {
	type definition struct {
		Known       bool            `json:"known"`
		Revision    string          `json:"revision,omitempty"`
		Description string          `json:"description,omitempty"`
		Kind        string          `json:"kind,omitempty"`
		Expires     string          `json:"expires,omitempty"`
		Bugs        json.RawMessage `json:"bugs,omitempty"`
		Labels      []string        `json:"labels,omitempty"`
	}

	ref, err := revisions.ParseURL(p.days.Revision())
	if err != nil {
		return definition{}, nil // no classic pings
	}
	text, err := p.folder.definitions.Local().Raw(r.Context(), ref)
	if err != nil {
		return definition{}, nil
	}
	var all map[string]struct {
		Description string          `json:"description"`
		Kind        string          `json:"kind"`
		Expires     any             `json:"expires_in_version"`
		Bugs        json.RawMessage `json:"bug_numbers"`
		Labels      []string        `json:"labels"`
	}
	if err := json.Unmarshal(text, &all); err != nil {
		return definition{}, nil
	}
	said, known := all[r.URL.Query().Get("measure")]
	if !known {
		return definition{}, nil
	}
	answer := definition{Known: true, Revision: ref.URL(), Description: said.Description, Kind: said.Kind, Bugs: said.Bugs, Labels: said.Labels}
	if said.Expires != nil {
		answer.Expires = fmt.Sprint(said.Expires)
	}
	return answer, nil
}
