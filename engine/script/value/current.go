package value

import (
	"github.com/dop251/goja"

	"github.com/aitgithub/telemetry-server/engine/jsonscan"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/revisions"
)

// Current pings have two forms: unified ones (a payload with processes, an environment)
// and those of Glean (metrics by type, client_info). What is below reads both, so that
// a script need not know which one it has.

// parentProcess is the process that is meant where a script names none.
const parentProcess = "parent"

// place says which of several histograms or scalars of one name is meant.
type place struct {
	process string
	key     string
	keyed   bool
	custom  customBuckets
}

// customBuckets are the buckets of a custom distribution of Glean, as metrics.yaml has
// them: its pings do not say them.
type customBuckets struct {
	kind      string // linear or exponential; "": they are not known
	low, high int
	buckets   int
}

// placeOf reads the argument {process, key}.
func (r *Runtime) placeOf(v goja.Value) place {
	where := place{process: parentProcess}
	if goja.IsUndefined(v) || goja.IsNull(v) {
		return where
	}

	options, ok := v.(*goja.Object)
	if !ok {
		r.ThrowType("the second argument is an object with the members process and key")
	}
	for _, name := range options.Keys() {
		switch value := options.Get(name); name {
		case "process":
			where.process = value.String()
		case "key":
			where.key = value.String()
			where.keyed = true
		case "kind":
			where.custom.kind = value.String()
		case "buckets":
			where.custom.buckets = int(value.ToInteger())
		case "range":
			bounds, ok := value.(*goja.Object)
			if !ok {
				r.ThrowType("range is an array of the lowest and the highest bound")
			}
			where.custom.low = int(at(bounds, 0).ToInteger())
			where.custom.high = int(at(bounds, 1).ToInteger())
		default:
			r.ThrowType("the second argument has the members process, key, kind, range and buckets, not %s", name)
		}
	}
	return where
}

// member returns the named member of the plain, or of the keyed, group of an object; nil
// if it is not there. Of a keyed one without key it is the object of all keys.
func (p place) member(o *lazyObject, plain, keyed, name string) goja.Value {
	if !p.keyed {
		return descend(o, plain, name)
	}
	return descend(o, keyed, name, p.key)
}

// descend follows names through objects; nil if one of them is not there.
func descend(o *lazyObject, names ...string) goja.Value {
	var found goja.Value
	for _, name := range names {
		if o == nil {
			return nil
		}
		found = o.Get(name)
		o = objectOf(found)
	}
	return found
}

// orUndefined is what a script sees of a value that may not be there.
func orUndefined(v goja.Value) goja.Value {
	if v == nil {
		return goja.Undefined()
	}
	return v
}

// pingScalar is ping.scalar(name, {process, key}).
func (r *Runtime) pingScalar(call goja.FunctionCall) goja.Value {
	ping := r.pingOf(call, "scalar")
	where := r.placeOf(call.Argument(1))
	if where.custom != (customBuckets{}) {
		r.ThrowType("kind, range and buckets are of histograms")
	}
	process := objectOf(descend(ping, "payload", "processes", where.process))
	return orUndefined(where.member(process, "scalars", "keyedScalars", call.Argument(0).String()))
}

// pingMetric is ping.metric("category.name"): of a Glean ping, whatever type it has.
func (r *Runtime) pingMetric(call goja.FunctionCall) goja.Value {
	ping := r.pingOf(call, "metric")
	metrics := objectOf(ping.Get("metrics"))
	if metrics == nil {
		return goja.Undefined()
	}

	name := call.Argument(0).String()
	for _, kind := range metrics.Keys() {
		if found := descend(metrics, kind, name); found != nil {
			return found
		}
	}
	return goja.Undefined()
}

// pingOf returns the ping that a method is called on.
func (r *Runtime) pingOf(call goja.FunctionCall, method string) *lazyObject {
	ping := objectOf(call.This)
	if ping == nil {
		r.ThrowType("%s is a method of the ping", method)
	}
	return ping
}

// pingProperties are the members that a ping has by its prototype, beside its methods. A
// member of the JSON hides them.
var pingProperties = map[string]func(*Runtime, *lazyObject) goja.Value{
	"client":      (*Runtime).pingClient,
	"environment": (*Runtime).pingEnvironment,
	"events":      (*Runtime).pingEvents,
}

// pingClient is ping.client, the client's ID.
func (r *Runtime) pingClient(ping *lazyObject) goja.Value {
	for _, names := range [][]string{{"clientId"}, {"client_info", "client_id"}, {"clientID"}} {
		if id := descend(ping, names...); id != nil {
			return id
		}
	}
	return goja.Undefined()
}

// environmentNames say where a Glean ping and a classic one have what a unified one has in
// its environment.
var environmentNames = []struct{ group, name, glean, classic string }{
	{"build", "buildId", "app_build", "appBuildID"},
	{"build", "version", "app_display_version", "appVersion"},
	{"build", "architecture", "architecture", "arch"},
	{"settings", "locale", "locale", "locale"},
}

// pingEnvironment is ping.environment of a ping that has none: as far as it is known, in
// the form of unified pings.
func (r *Runtime) pingEnvironment(ping *lazyObject) goja.Value {
	known := objectOf(ping.Get("client_info"))
	glean := known != nil
	if !glean {
		known = objectOf(ping.Get("info"))
	}
	if known == nil {
		return goja.Undefined()
	}

	nameOf := func(glean1, classic string) goja.Value {
		if glean {
			return orUndefined(known.Get(glean1))
		}
		return orUndefined(known.Get(classic))
	}
	groups := map[string]*goja.Object{}
	environment := r.rt.NewObject()
	for _, group := range []string{"build", "settings", "system"} {
		groups[group] = r.rt.NewObject()
		r.set(environment, group, groups[group])
	}
	for _, names := range environmentNames {
		r.set(groups[names.group], names.name, nameOf(names.glean, names.classic))
	}

	update := r.rt.NewObject()
	r.set(update, "channel", nameOf("app_channel", "appUpdateChannel"))
	r.set(groups["settings"], "update", update)
	system := r.rt.NewObject()
	r.set(system, "name", nameOf("os", "OS"))
	r.set(system, "version", nameOf("os_version", "version"))
	r.set(groups["system"], "os", system)
	return environment
}

// set sets a member of an object of ours, which cannot fail.
func (r *Runtime) set(o *goja.Object, name string, value goja.Value) {
	if err := o.Set(name, value); err != nil {
		r.Throw(err)
	}
}

// eventNames are the elements of an event of a unified ping.
var eventNames = []string{"timestamp", "category", "name", "object", "value", "extra"}

// pingEvents is ping.events of a unified ping: the events of all processes as objects,
// which Glean's are anyway.
func (r *Runtime) pingEvents(ping *lazyObject) goja.Value {
	var events []any
	add := func(process string, list goja.Value) {
		stored, ok := list.(*goja.Object)
		if !ok || lazyArrayOf(stored) == nil {
			return
		}

		for i := range lazyArrayOf(stored).Len() {
			elements, ok := at(stored, i).(*goja.Object)
			if !ok {
				continue
			}
			event := r.rt.NewObject()
			r.set(event, "process", r.rt.ToValue(process))
			for n, name := range eventNames {
				r.set(event, name, orUndefined(at(elements, n)))
			}
			events = append(events, event)
		}
	}

	payload := objectOf(ping.Get("payload"))
	if payload == nil {
		return r.rt.NewArray()
	}
	if byProcess := objectOf(payload.Get("events")); byProcess != nil {
		for _, process := range byProcess.Keys() {
			add(process, byProcess.Get(process))
		}
	}
	if processes := objectOf(payload.Get("processes")); processes != nil {
		for _, process := range processes.Keys() {
			add(process, descend(processes, process, "events"))
		}
	}
	return r.rt.NewArray(events...)
}

// gleanTypes are the types of metrics that are distributions with buckets by formula.
var gleanTypes = []struct {
	name, labeled string
	kind          revisions.Kind
}{
	{"timing_distribution", "labeled_timing_distribution", revisions.Timing},
	{"memory_distribution", "labeled_memory_distribution", revisions.Memory},
}

// gleanDistribution returns a distribution of a Glean ping; nil if it has none of that name
// and label. A custom one needs its buckets: its ping does not say them.
func (r *Runtime) gleanDistribution(ping *lazyObject, name string, where place) *bound {
	metric := func(plain, labeled string) *lazyObject {
		if where.keyed {
			return objectOf(descend(ping, "metrics", labeled, name, where.key))
		}
		return objectOf(descend(ping, "metrics", plain, name))
	}

	for _, of := range gleanTypes {
		if distribution := metric(of.name, of.labeled); distribution != nil {
			return r.distributionOf(distribution, revisions.NewGlean(name, of.kind))
		}
	}
	if where.custom == (customBuckets{}) {
		return nil
	}

	// The buckets are checked even where the ping has no such metric, so that a mistake shows.
	kind, ok := revisions.ParseKind(where.custom.kind)
	if !ok || kind != revisions.Linear && kind != revisions.Exponential {
		r.ThrowType("histogram %s: kind is %q, want linear or exponential", name, where.custom.kind)
	}
	def, err := revisions.NewDefinition(name, kind, where.custom.low, where.custom.high, where.custom.buckets)
	if err != nil {
		r.ThrowType("histogram %s: %s", name, err)
	}
	if distribution := metric("custom_distribution", "labeled_custom_distribution"); distribution != nil {
		return r.distributionOf(distribution, def)
	}
	return nil
}

// distributionOf returns a distribution with the buckets of a definition.
func (r *Runtime) distributionOf(distribution *lazyObject, def *revisions.Definition) *bound {
	numbers := make([]float64, def.BucketCount, def.BucketCount+layout.TailNumbers)
	if values := objectOf(distribution.Get("values")); values != nil {
		values.materialise()
		for it := jsonscan.MembersTrusted(values.text, values.start); it.Next(); {
			lower, isBound := jsonscan.Int(it.Key)
			count, isCount := number(it.Value())
			if isBound && isCount {
				numbers[def.GleanBucket(lower)] += count
			}
		}
	}

	sum := -1.0
	if said := distribution.Get("sum"); said != nil {
		sum = said.ToFloat()
	}
	return &bound{r: r, def: def, numbers: append(numbers, sum, -1, -1, -1, -1)}
}
