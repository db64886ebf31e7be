package main

import (
	"time"
)

// manifest is what it takes to cite a run of classify, and to repeat it.
type manifest struct {
	Botwatch buildVersion    `json:"botwatch"`
	Model    manifestModel   `json:"model"`
	Inputs   []manifestInput `json:"inputs"`
	Options  manifestOptions `json:"options"`
	Counts   counts          `json:"counts"`
	Started  time.Time       `json:"started_at"`
	Ended    time.Time       `json:"ended_at"`
}

type manifestModel struct {
	Name   string `json:"name"`
	Digest string `json:"digest"`
}

// manifestInput is one file, as it was named. Size and SHA256 are of the file as
// it is, not unpacked.
type manifestInput struct {
	Name     string `json:"name"`
	Size     int64  `json:"size"`
	SHA256   string `json:"sha256,omitempty"`
	Accounts int    `json:"accounts"`
	Error    string `json:"error,omitempty"` // what ended it early
}

type manifestOptions struct {
	Format    string `json:"format"`
	Output    string `json:"output,omitempty"`
	Explain   bool   `json:"explain"`
	Model     string `json:"model,omitempty"`
	CrawledAt string `json:"crawled_at,omitempty"`
}

// counts are the accounts by what became of them: Read is the sum of the rest.
type counts struct {
	Read   int `json:"read"`
	Strong int `json:"strong"`
	Weak   int `json:"weak"`
	None   int `json:"none"`
	Errors int `json:"errors"`
}
