package mongo

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"botwatch/store"
)

// needed are the actions on each collection, as roles have them.
func (s *Store) needed() map[string][]string {
	accounts := []string{"find", "changeStream"}
	if !s.opts.ProtectAccounts {
		accounts = append(accounts, "insert", "update", "remove")
	}
	ours := []string{"find", "insert", "update", "remove", "createIndex", "listIndexes"}
	all := map[string][]string{}
	add := func(db, coll string, actions []string) { all[db+"."+coll] = actions }
	add(s.source.Name(), s.opts.Names.Accounts, accounts)
	for _, name := range []string{s.opts.Names.Predictions, s.opts.Names.State, s.opts.Names.DeadLetters} {
		add(s.home.Name(), name, ours)
	}
	add(s.source.Name(), "", []string{"listCollections"})
	return all
}

// checkPrivileges holds the user's privileges against what is needed, and prints
// the role that would have it all. Without access control there is nothing to
// check.
func (s *Store) checkPrivileges(ctx context.Context, r *report) {
	var status struct {
		Info struct {
			Users      []bson.Raw `bson:"authenticatedUsers"`
			Privileges []struct {
				Resource struct {
					DB         string `bson:"db"`
					Collection string `bson:"collection"`
					Any        bool   `bson:"anyResource"`
				} `bson:"resource"`
				Actions []string `bson:"actions"`
			} `bson:"authenticatedUserPrivileges"`
		} `bson:"authInfo"`
	}
	err := s.source.RunCommand(ctx, bson.D{{Key: "connectionStatus", Value: 1}, {Key: "showPrivileges", Value: true}}).Decode(&status)
	if err != nil {
		r.add(store.LevelOK, "privileges", "not told by this server: %v", err)
		return
	}
	if len(status.Info.Users) == 0 {
		r.add(store.LevelOK, "privileges", "nobody is logged in: the server has no access control, or lets nobody in")
		return
	}
	var missing []string
	for ns, actions := range s.needed() {
		db, coll, _ := strings.Cut(ns, ".")
		for _, action := range actions {
			granted := false
			for _, p := range status.Info.Privileges {
				res := p.Resource
				if (res.Any || (res.DB == db || res.DB == "") && (res.Collection == coll || res.Collection == "")) && slices.Contains(p.Actions, action) {
					granted = true
				}
			}
			if !granted {
				missing = append(missing, action+" on "+strings.TrimSuffix(ns, "."))
			}
		}
	}
	if len(missing) == 0 {
		r.add(store.LevelOK, "privileges", "all that are needed")
		return
	}
	slices.Sort(missing)
	r.add(store.LevelFail, "privileges", "missing: %s. This role has them: %s", strings.Join(missing, ", "), s.role())
}

// role gives the command that makes the role.
func (s *Store) role() string {
	var parts []string
	for ns, actions := range s.needed() {
		db, coll, _ := strings.Cut(ns, ".")
		parts = append(parts, fmt.Sprintf("{resource: {db: %q, collection: %q}, actions: [%s]}", db, coll, `"`+strings.Join(actions, `", "`)+`"`))
	}
	slices.Sort(parts)
	return "db.getSiblingDB(\"admin\").createRole({role: \"botwatch\", roles: [], privileges: [" + strings.Join(parts, ", ") + "]})"
}
