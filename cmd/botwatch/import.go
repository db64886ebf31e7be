package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"botwatch/classifier"
	"botwatch/classifier/format"
	"botwatch/config"
	"botwatch/store"
)

func (a *app) importCommand() *cobra.Command {
	var crawledAt string
	cmd := &cobra.Command{
		Use:   "import FILE...",
		Short: "Put accounts from files into the store",
		Long: `import reads accounts from files (- for standard input), in every form that
classify knows, and puts them into the store, in place of accounts with the same
id. Of each account only the fields that classification needs are kept. A daemon
that runs on the store notices them at once; else the next one does. On MongoDB
accounts are the crawler's alone, unless accounts.writable is true.

An account that cannot be read is left out and told; the others go on, and so do
the other files where one cannot be read to its end.`,
		Example: `  botwatch import accounts.json
  botwatch import --store sqlite:accounts.db crawl-*.ndjson.gz`,
		Args: cobra.MinimumNArgs(1),
	}
	settingFlags(cmd, setStore)
	cmd.Flags().StringVar(&crawledAt, "crawled-at", "", "when raw timelines were crawled that do not say so: a `time` such as 2020-05-20T09:18:42Z")
	cmd.RunE = func(cmd *cobra.Command, files []string) error {
		c, err := a.settings(cmd)
		if err != nil {
			return err
		}
		var o format.Options
		if crawledAt != "" {
			at, ok := classifier.ParseTime(crawledAt)
			if !ok {
				return usagef("--crawled-at: %q is no time; want one such as 2020-05-20T09:18:42Z", crawledAt)
			}
			o.CrawledAt = at
		}
		if err := mayWriteAccounts(c); err != nil {
			return err
		}
		s, err := a.openStore(cmd.Context(), c, openMade)
		if err != nil {
			return err
		}
		defer s.Close()
		im := &importer{a: a, store: s}
		unread := 0
		for _, name := range files {
			err := im.file(cmd.Context(), name, o)
			if im.err != nil {
				return fmt.Errorf("%s: %w", name, im.err)
			}
			if cmd.Context().Err() != nil {
				return cmd.Context().Err()
			}
			if err != nil {
				unread++
				fmt.Fprintf(a.stderr, "botwatch: %s: %s\n", safeText(name), safeText(err.Error()))
			}
		}
		closing := fmt.Sprintf("%d accounts put into %s, %d left out", im.put, config.RedactStore(c.Store), im.failed)
		if unread > 0 {
			closing += fmt.Sprintf("; %d of %d inputs not read to the end", unread, len(files))
		}
		fmt.Fprintln(a.stderr, closing)
		switch {
		case unread > 0:
			return &inputsError{unread}
		case im.failed > 0:
			return &rowsError{im.failed}
		}
		return nil
	}
	return cmd
}

// importer puts accounts into a store, batch by batch.
type importer struct {
	a           *app
	store       store.Accounts
	batch       []store.Account
	bytes       int
	put, failed int
	err         error // of the store, which ends the import
}

// The bounds of a batch.
const (
	importItems = 500
	importBytes = 4 << 20
)

// imported is what became of one account of a file.
type imported struct {
	account store.Account
	row     string // why it is left out
}

// file puts the accounts of one file. An error is what ended it early.
func (im *importer) file(ctx context.Context, name string, o format.Options) error {
	in, err := im.a.openInput(ctx, name, func(int) {}, false)
	if err != nil {
		return err
	}
	defer in.close()
	r, err := format.Open(in, o)
	if err != nil {
		return err
	}
	err = format.Each(r, 2, readImported, func(v imported) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if v.row != "" {
			im.failed++
			fmt.Fprintf(im.a.stderr, "%s, %s\n", name, v.row)
			return nil
		}
		im.batch = append(im.batch, v.account)
		im.bytes += len(v.account.Doc)
		if len(im.batch) < importItems && im.bytes < importBytes {
			return nil
		}
		return im.flush(ctx)
	})
	if im.err != nil {
		return im.err
	}
	if ferr := im.flush(ctx); err == nil { // what was read before is good
		err = ferr
	}
	return err
}

func readImported(_ int, f *format.Frame, a *classifier.Account, err error) imported {
	key := f.Key
	if key == "" && a != nil {
		key = a.UserID
	}
	switch {
	case err != nil:
		return imported{row: fmt.Sprintf("%s: account %s: %v", f.Place, safeText(key), err)}
	case key == "":
		return imported{row: fmt.Sprintf("%s: the account has no _id, id, id_str or screen_name to store it under", f.Place)}
	}
	id := store.StringID(key)
	if len(f.KeyJSON) > 0 {
		if id, err = store.ParseID(f.KeyJSON); err != nil {
			return imported{row: fmt.Sprintf("%s: account %s: %v", f.Place, safeText(key), err)}
		}
	}
	return imported{account: store.Account{ID: id, Doc: format.AppendAccount(nil, a)}}
}

func (im *importer) flush(ctx context.Context) error {
	if len(im.batch) == 0 {
		return nil
	}
	if im.err = im.store.PutAccounts(ctx, im.batch); im.err != nil {
		return im.err
	}
	im.put += len(im.batch)
	im.batch, im.bytes = im.batch[:0], 0
	return nil
}
