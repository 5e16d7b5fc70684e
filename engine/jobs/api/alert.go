package api

import "time"

// AlertRule is what a script's alert declares. Each bound that is set is checked.
type AlertRule struct {
	Function bool     `json:"function"` // alert is a function, which decides alone
	Value    string   `json:"value"`    // the column with the numbers; "" is value
	Above    *float64 `json:"above"`
	Below    *float64 `json:"below"`
	Distance *float64 `json:"distance"` // total variation, 0 to 1, to the result of Days before
	Days     int      `json:"days"`     // 0 is 7
}

// Bounds of the rows that a function alert gets, of a run and of the run before each.
const (
	MaxAlertRows  = 100_000
	MaxAlertBytes = 16 << 20
)

// Alerted is what tmrun alert prints.
type Alerted struct {
	Message string `json:"message"`         // "": nothing to warn of
	Error   string `json:"error,omitempty"` // why the function has not decided
}

// AlertState is what a rule says of the last result.
type AlertState string

// The states. A script begins with AlertOK.
const (
	AlertOK     AlertState = "ok"
	AlertFiring AlertState = "firing"
	AlertError  AlertState = "error" // the rule cannot be applied to the rows
)

// AlertChange is a change of the state of a script's alert.
type AlertChange struct {
	ID       string     `json:"id"` // the same whenever the change is reported
	Script   string     `json:"script"`
	State    AlertState `json:"state"`
	Text     string     `json:"text"` // which bound was crossed, and by what, or what the function said
	Run      string     `json:"run"`
	At       time.Time  `json:"at"`
	Reported bool       `json:"reported"`
}

// Alert is the state of a script's alert, with its last changes, the newest first.
type Alert struct {
	State   AlertState    `json:"state"`
	Changes []AlertChange `json:"changes"`
}
