package mongotest

// handlers are the commands, by name.
var handlers map[string]handler

func init() { // not an initial value, for commands that look themselves up
	handlers = map[string]handler{
		"hello":     {(*Server).hello, nil, early | stable, 0},
		"isMaster":  {(*Server).hello, nil, early, 0},
		"ismaster":  {(*Server).hello, nil, early, 0},
		"ping":      {(*Server).ping, set(), early | stable, 0},
		"buildInfo": {(*Server).buildInfo, set(), early, 0},
		"buildinfo": {(*Server).buildInfo, set(), early, 0},

		"saslStart":          {(*Server).saslStart, nil, early, 0},
		"saslContinue":       {(*Server).saslContinue, nil, early, 0},
		"logout":             {(*Server).logout, set(), early, 0},
		"connectionStatus":   {(*Server).connectionStatus, set("showPrivileges"), early | stable, 0},
		"startSession":       {(*Server).startSession, set(), 0, 0},
		"refreshSessions":    {(*Server).refreshSessions, set(), stable, 0},
		"endSessions":        {(*Server).endSessions, set(), stable, 0},
		"killSessions":       {(*Server).endSessions, set(), stable, 0},
		"killAllSessions":    {(*Server).killAllSessions, set(), 0, 0},
		"configureFailPoint": {(*Server).configureFailPoint, set("mode", "data"), adminOnly, 0},

		"insert": {(*Server).insert, set("documents", "ordered", "bypassDocumentValidation", "maxTimeMS"), writes | stable, 0},
		"update": {(*Server).update, set("updates", "ordered", "bypassDocumentValidation", "let"), writes | stable, 0},
		"delete": {(*Server).delete, set("deletes", "ordered", "let"), writes | stable, 0},
		"findAndModify": {(*Server).findAndModify, set("query", "sort", "remove", "update", "new", "fields", "upsert",
			"bypassDocumentValidation", "collation", "arrayFilters", "hint", "let"), writes | stable, 0},
		"findandmodify": {(*Server).findAndModify, set("query", "sort", "remove", "update", "new", "fields", "upsert",
			"bypassDocumentValidation", "collation", "arrayFilters", "hint", "let"), writes | stable, 0},
		"bulkWrite": {(*Server).bulkWrite, set("ops", "nsInfo", "ordered", "bypassDocumentValidation", "errorsOnly",
			"let", "cursor"), writes | stable | adminOnly, 800},

		"find": {(*Server).find, set("filter", "sort", "projection", "hint", "skip", "limit", "batchSize", "singleBatch",
			"max", "min", "returnKey", "showRecordId", "tailable", "oplogReplay", "noCursorTimeout", "awaitData",
			"allowPartialResults", "collation", "allowDiskUse", "let"), reads | stable, 0},
		"getMore":     {(*Server).getMore, set("collection", "batchSize"), stable, 0},
		"killCursors": {(*Server).killCursors, set("cursors"), stable, 0},
		"count":       {(*Server).count, set("query", "limit", "skip", "hint", "collation", "fields"), reads | stable, 0},
		"distinct":    {(*Server).distinct, set("key", "query", "collation", "hint"), reads, 0},
		"aggregate": {(*Server).aggregate, set("pipeline", "explain", "allowDiskUse", "cursor", "bypassDocumentValidation",
			"collation", "hint", "let"), reads | stable, 0},

		"create": {(*Server).create, set("capped", "size", "max", "validator", "validationLevel", "validationAction",
			"changeStreamPreAndPostImages", "autoIndexId", "collation", "viewOn", "pipeline", "timeseries",
			"clusteredIndex", "expireAfterSeconds", "encryptedFields", "storageEngine", "indexOptionDefaults"), writes | stable, 0},
		"collMod": {(*Server).collMod, set("index", "validator", "validationLevel", "validationAction",
			"changeStreamPreAndPostImages"), writes | stable, 0},
		"drop":             {(*Server).drop, set(), writes | stable, 0},
		"dropDatabase":     {(*Server).dropDatabase, set(), writes | stable, 0},
		"renameCollection": {(*Server).renameCollection, set("to", "dropTarget"), writes | adminOnly, 0},
		"createIndexes":    {(*Server).createIndexes, set("indexes", "commitQuorum"), writes | stable, 0},
		"dropIndexes":      {(*Server).dropIndexes, set("index"), writes | stable, 0},
		"listIndexes":      {(*Server).listIndexes, set("cursor"), reads | stable, 0},
		"listCollections":  {(*Server).listCollections, set("filter", "nameOnly", "authorizedCollections", "cursor"), reads | stable, 0},
		"listDatabases":    {(*Server).listDatabases, set("filter", "nameOnly", "authorizedDatabases"), reads | stable | adminOnly, 0},
		"collStats":        {(*Server).collStats, set("scale"), reads, 0},
		"dbStats":          {(*Server).dbStats, set("scale", "freeStorage"), reads, 0},

		"serverStatus":       {(*Server).serverStatus, nil, 0, 0},
		"replSetGetStatus":   {(*Server).replSetGetStatus, set("initialSync"), adminOnly, 0},
		"replSetStepDown":    {(*Server).replSetStepDown, set("secondaryCatchUpPeriodSecs", "force"), adminOnly, 0},
		"replSetResizeOplog": {(*Server).replSetResizeOplog, set("size", "minRetentionHours"), adminOnly, 0},
		"getParameter":       {(*Server).getParameter, nil, adminOnly, 0},
	}
}
