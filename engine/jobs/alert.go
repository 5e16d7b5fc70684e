package jobs

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.etcd.io/bbolt"

	"github.com/aitgithub/telemetry-server/engine/jobs/api"
)

const (
	// maxAlertChanges bounds the changes of a script that are kept.
	maxAlertChanges = 50
	// maxAlertBytes bounds a result that a rule reads.
	maxAlertBytes = 64 << 20
	// alertRetry is how often a change that could not be reported is reported again.
	alertRetry = time.Minute
	// defaultAlertDays is how much older the result is that a distribution is compared with.
	defaultAlertDays = 7
)

// parseAlert reads the rule of a script.
func parseAlert(text json.RawMessage) (*api.AlertRule, error) {
	if len(text) == 0 {
		return nil, nil
	}
	rule := &api.AlertRule{}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(rule); err != nil {
		return nil, fmt.Errorf("alert: %w", err)
	}
	if rule.Function {
		return rule, nil
	}
	if rule.Above == nil && rule.Below == nil && rule.Distance == nil {
		return nil, errors.New("alert: want one of above, below and distance")
	}
	if rule.Distance != nil && (*rule.Distance < 0 || *rule.Distance > 1) || rule.Days < 0 {
		return nil, errors.New("alert: want a distance from 0 to 1, and days from 1")
	}
	if rule.Value == "" {
		rule.Value = "value"
	}
	if rule.Days == 0 {
		rule.Days = defaultAlertDays
	}
	return rule, nil
}

// isPart reports whether a request reads less than its script says: a sample, a day of a
// backfill, or what a filter of its own selects.
func isPart(request api.Request) bool {
	return len(request.Where) > 0 || request.Sample != "" || request.SampleClients != "" || request.Filter != "" || request.Table != "" || len(request.FilterDocument) > 0
}

// errAlertTable is why a rule cannot be applied to a result.
var errAlertTable = errors.New("the rule needs one table of JSON lines of at most 64 MiB")

// onlyTable returns the name of a run's result if that is one table of JSON lines, else "".
func onlyTable(results []api.Result) string {
	if len(results) != 1 || !strings.HasSuffix(results[0].Name, ".jsonl") || results[0].Bytes > maxAlertBytes {
		return ""
	}
	return results[0].Name
}

// callAlert calls the function alert of the script at path, in a process of its own, with the
// rows of a run and those of the run before. An error of the function is text, with its code.
func (m *Manager) callAlert(ctx context.Context, run api.Run, path string, log io.Writer) (code int, text string, err error) {
	results, err := m.results(run.ID)
	name := onlyTable(results)
	if err != nil || name == "" {
		return 0, "", err // the state of the alert says that it cannot decide
	}
	file := func(id, name string) string { return filepath.Join(m.o.Dir, runDir(id), resultsDir, name) }
	args := []string{"alert", "--rows=" + file(run.ID, name)}

	// Files of results are removed when a client in them is forgotten.
	for _, before := range m.Runs(run.Script) {
		name := onlyTable(before.Results)
		if before.State != api.Done || isPart(before.Request) || name == "" {
			continue
		}
		if _, err := os.Stat(file(before.ID, name)); err == nil {
			args = append(args, "--previous="+file(before.ID, name))
			break
		}
	}

	var answer api.Alerted
	code, err = m.answer(ctx, path, args, log, &answer)
	m.mu.Lock()
	m.runs[run.ID].message = answer.Message
	m.mu.Unlock()
	return code, answer.Error, err
}

// checkAlert applies the rule of a script to a run that is done, and stores a change of its
// state. message is what the function alert said.
func (m *Manager) checkAlert(rule *api.AlertRule, message string, run api.Run) error {
	if rule == nil || run.State != api.Done || run.Script == "" || isPart(run.Request) {
		return nil
	}

	state, text := api.AlertOK, "within the bounds"
	crossed, err := message, error(nil)
	switch {
	case rule.Function && onlyTable(run.Results) == "":
		err = errAlertTable
	case !rule.Function:
		crossed, err = m.crossed(rule, run)
	}
	switch {
	case err != nil:
		state, text = api.AlertError, err.Error()
	case crossed != "":
		state, text = api.AlertFiring, crossed
	}

	m.alerting.Lock()
	defer m.alerting.Unlock()
	alert := api.Alert{State: api.AlertOK}
	if _, err := m.store.get(alertsBucket, run.Script, &alert); err != nil {
		return err
	}
	if alert.State == state {
		return nil
	}

	// It is stored before it is reported, so that it is reported after a crash, too.
	alert.State = state
	change := api.AlertChange{ID: run.Script + " " + run.ID, Script: run.Script, State: state, Text: text, Run: run.ID, At: run.Ended}
	alert.Changes = slices.Insert(alert.Changes, 0, change)
	alert.Changes = alert.Changes[:min(len(alert.Changes), maxAlertChanges)]
	if err := m.store.put(alertsBucket, run.Script, alert); err != nil {
		return err
	}
	select {
	case m.alerted <- struct{}{}:
	default: // it has one
	}
	return nil
}

// crossed returns which bound of a rule a result crosses, "" for none.
func (m *Manager) crossed(rule *api.AlertRule, run api.Run) (string, error) {
	rows, err := m.distribution(run, rule.Value)
	if err != nil {
		return "", err
	}
	for _, row := range rows {
		if rule.Above != nil && row.value > *rule.Above {
			return fmt.Sprintf("%s of %s is %v, above %v", rule.Value, row.key, row.value, *rule.Above), nil
		}
		if rule.Below != nil && row.value < *rule.Below {
			return fmt.Sprintf("%s of %s is %v, below %v", rule.Value, row.key, row.value, *rule.Below), nil
		}
	}
	if rule.Distance == nil {
		return "", nil
	}

	// The newest result that is old enough; the first days have none.
	limit := run.Created.AddDate(0, 0, -rule.Days)
	for _, before := range m.Runs(run.Script) {
		if before.State != api.Done || before.Created.After(limit) || isPart(before.Request) {
			continue
		}
		old, err := m.distribution(before, rule.Value)
		if err != nil {
			continue // of an older script, or removed since
		}
		if found := totalVariation(old, rows); found > *rule.Distance {
			return fmt.Sprintf("the total variation distance from the result of %s is %.3g, above %v", before.Created.Format(time.DateOnly), found, *rule.Distance), nil
		}
		return "", nil
	}
	return "", nil
}

// share is a row of a distribution: the columns besides the number, as JSON.
type share struct {
	key   string
	value float64
}

// distribution reads the only table of a result in JSON lines.
func (m *Manager) distribution(run api.Run, column string) (rows []share, err error) {
	name := onlyTable(run.Results)
	if name == "" {
		return nil, errAlertTable
	}
	file, err := m.OpenResult(run.ID, name)
	if err != nil {
		return nil, err
	}
	defer file.Close()

	lines := bufio.NewScanner(file)
	lines.Buffer(nil, maxAlertBytes)
	for lines.Scan() {
		var row map[string]any
		if err := json.Unmarshal(lines.Bytes(), &row); err != nil {
			return nil, fmt.Errorf("the rule needs rows that are objects: %w", err)
		}
		value, ok := row[column].(float64)
		if !ok {
			return nil, fmt.Errorf("the column %q has a row without a number", column)
		}
		delete(row, column)
		key, err := json.Marshal(row) // in the order of the names
		if err != nil {
			return nil, err
		}
		rows = append(rows, share{string(key), value})
	}
	return rows, lines.Err()
}

// totalVariation is half of the sum of the differences of the shares: 0 for the same shares,
// 1 for no key in common. An empty distribution is as far as can be from one that is not.
func totalVariation(before, now []share) float64 {
	total := func(rows []share) (sum float64) {
		for _, row := range rows {
			sum += math.Abs(row.value)
		}
		return sum
	}
	oldTotal, newTotal := total(before), total(now)
	if oldTotal == 0 || newTotal == 0 {
		if oldTotal == newTotal {
			return 0
		}
		return 1
	}

	differences := map[string]float64{}
	for _, row := range before {
		differences[row.key] -= math.Abs(row.value) / oldTotal
	}
	for _, row := range now {
		differences[row.key] += math.Abs(row.value) / newTotal
	}

	// What has been added belongs to keys that have more now; the rest cancels out.
	sum := 0.0
	for _, difference := range differences {
		sum += math.Abs(difference)
	}
	return sum / 2
}

// reportAlerts reports changes that were not reported yet, also those from before the start,
// until ctx ends.
func (m *Manager) reportAlerts(ctx context.Context) {
	ticker := time.NewTicker(alertRetry)
	defer ticker.Stop()
	for {
		if err := m.reportOnce(ctx); err != nil {
			m.o.Log.Error("a change of an alert cannot be reported", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-m.alerted:
		case <-ticker.C:
		}
	}
}

// reportOnce reports what waits for it, the oldest of each script first.
func (m *Manager) reportOnce(ctx context.Context) error {
	waiting := []api.AlertChange{}
	err := m.store.each(alertsBucket, "", func(text []byte) error {
		var alert api.Alert
		err := json.Unmarshal(text, &alert)
		for _, change := range slices.Backward(alert.Changes) {
			if !change.Reported {
				waiting = append(waiting, change)
			}
		}
		return err
	})
	for _, change := range waiting {
		if err == nil && m.o.Alert != nil {
			err = m.o.Alert(ctx, change)
		}
		if err != nil {
			return err
		}
		if err := m.setReported(change); err != nil {
			return err
		}
	}
	return err
}

// setReported stores that a change was reported. A run may change the same alert meanwhile.
func (m *Manager) setReported(change api.AlertChange) error {
	m.alerting.Lock()
	defer m.alerting.Unlock()
	return m.store.db.Update(func(tx *bbolt.Tx) error {
		var alert api.Alert
		bucket := tx.Bucket(alertsBucket)
		if err := json.Unmarshal(bucket.Get([]byte(change.Script)), &alert); err != nil {
			return err
		}
		for i := range alert.Changes {
			if alert.Changes[i].ID == change.ID {
				alert.Changes[i].Reported = true
			}
		}
		text, err := json.Marshal(alert)
		if err != nil {
			return err
		}
		return bucket.Put([]byte(change.Script), text)
	})
}
