package config

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"strings"
)

// StoreKind tells stores apart.
type StoreKind int

// The kinds of store.
const (
	UnknownStore StoreKind = iota
	SQLite
	MongoDB
)

const sqliteScheme = "sqlite:"

// StoreKind gives the kind of store that Store names.
func (c *Config) StoreKind() StoreKind {
	switch {
	case strings.HasPrefix(c.Store, sqliteScheme):
		return SQLite
	case strings.HasPrefix(c.Store, "mongodb://"), strings.HasPrefix(c.Store, "mongodb+srv://"):
		return MongoDB
	}
	return UnknownStore
}

// SQLiteFile gives the file that Store names; "" where it is no SQLite store.
func (c *Config) SQLiteFile() string {
	file, found := strings.CutPrefix(c.Store, sqliteScheme)
	if !found {
		return ""
	}
	return file
}

// StoreURI gives Store with the password of StorePassword or StorePasswordFile in
// it, if there is one. It is a secret: see RedactStore.
func (c *Config) StoreURI() (string, error) {
	field, password := "store_password", c.StorePassword
	switch {
	case c.StorePasswordFile != "":
		field = "store_password_file"
		data, err := os.ReadFile(c.StorePasswordFile)
		if err != nil {
			return "", fmt.Errorf("read store_password_file: %w", err)
		}
		password = strings.TrimRight(string(data), "\r\n")
	case password == "":
		return c.Store, nil
	}
	scheme, rest, _ := strings.Cut(c.Store, "://")
	user, hosts, found := strings.Cut(rest, "@")
	if !found {
		return "", fmt.Errorf("store: names no user, and %s is set", field)
	}
	if strings.Contains(user, ":") {
		return "", fmt.Errorf("store: holds a password, and %s is set", field)
	}
	password = strings.ReplaceAll(url.QueryEscape(password), "+", "%20")
	return scheme + "://" + user + ":" + password + "@" + hosts, nil
}

// validateStore checks the form of a store's name. Its errors hold no secrets.
func validateStore(uri string) error {
	if file, ok := strings.CutPrefix(uri, sqliteScheme); ok {
		if file == "" {
			return errors.New("names no file; want sqlite:FILE")
		}
		return nil
	}
	_, rest, found := strings.Cut(uri, "mongodb://")
	if !found {
		_, rest, found = strings.Cut(uri, "mongodb+srv://")
	}
	if !found || !strings.HasPrefix(uri, "mongodb") {
		return fmt.Errorf("is %q; want sqlite:FILE or mongodb://HOST/DATABASE", RedactStore(uri))
	}
	rest, _, _ = strings.Cut(rest, "?")
	hosts, database, _ := strings.Cut(rest[strings.LastIndexByte(rest, '@')+1:], "/")
	switch {
	case hosts == "" || strings.HasPrefix(hosts, ",") || strings.HasSuffix(hosts, ",") || strings.Contains(hosts, ",,"):
		return errors.New("names no host; want mongodb://HOST/DATABASE")
	case database == "" || strings.ContainsAny(database, `/\. "$`):
		return errors.New("names no database; want mongodb://HOST/DATABASE")
	}
	return nil
}

// secretOptions are the options of a MongoDB URI that hold secrets.
var secretOptions = regexp.MustCompile(`(?i)([?&][^=&]*(?:password|token|mechanismproperties)[^=&]*=)[^&]*`)

// hidden stands for a secret.
const hidden = "xxxxx"

// RedactStore hides what is secret in a store's name: the password, and the
// options that hold some. It errs on the side of hiding.
func RedactStore(uri string) string {
	uri = secretOptions.ReplaceAllString(uri, "${1}"+hidden)
	scheme, rest, found := strings.Cut(uri, "://")
	if !found {
		return uri
	}
	// The last @: passwords that should have been escaped hold some, too.
	at := strings.LastIndexByte(rest, '@')
	if at < 0 {
		return uri
	}
	user, _, found := strings.Cut(rest[:at], ":")
	if !found {
		return uri
	}
	return scheme + "://" + user + ":" + hidden + rest[at:]
}
