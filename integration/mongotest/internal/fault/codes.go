package fault

// The codes that have a published name (error_codes.yml of the server), as far
// as they occur here. Others, called Location codes, are written as numbers
// where they occur.
const (
	InternalError                            Code = 1
	BadValue                                 Code = 2
	HostUnreachable                          Code = 6
	HostNotFound                             Code = 7
	FailedToParse                            Code = 9
	Unauthorized                             Code = 13
	TypeMismatch                             Code = 14
	Overflow                                 Code = 15
	InvalidLength                            Code = 16
	ProtocolError                            Code = 17
	AuthenticationFailed                     Code = 18
	IllegalOperation                         Code = 20
	InvalidBSON                              Code = 22
	NamespaceNotFound                        Code = 26
	IndexNotFound                            Code = 27
	PathNotViable                            Code = 28
	ConflictingUpdateOperators               Code = 40
	CursorNotFound                           Code = 43
	NoMatchingDocument                       Code = 47
	NamespaceExists                          Code = 48
	MaxTimeMSExpired                         Code = 50
	DollarPrefixedFieldName                  Code = 52
	InvalidIdField                           Code = 53
	NotSingleValueField                      Code = 54
	EmptyFieldName                           Code = 56
	DottedFieldName                          Code = 57
	CommandNotFound                          Code = 59
	WriteConcernTimeout                      Code = 64
	ImmutableField                           Code = 66
	CannotCreateIndex                        Code = 67
	IndexAlreadyExists                       Code = 68
	InvalidOptions                           Code = 72
	InvalidNamespace                         Code = 73
	UnknownReplWriteConcern                  Code = 79
	IndexOptionsConflict                     Code = 85
	IndexKeySpecsConflict                    Code = 86
	NetworkTimeout                           Code = 89
	ShutdownInProgress                       Code = 91
	UnsatisfiableWriteConcern                Code = 100
	NotExactValueField                       Code = 111
	WriteConflict                            Code = 112
	CommandNotSupported                      Code = 115
	DocumentValidationFailure                Code = 121
	NotAReplicaSet                           Code = 123
	CappedPositionLost                       Code = 136
	CursorInUse                              Code = 143
	CommandNotSupportedOnView                Code = 166
	InvalidPipelineOperator                  Code = 168
	CannotIndexParallelArrays                Code = 171
	ClientMetadataCannotBeMutated            Code = 186
	QueryPlanKilled                          Code = 175
	PrimarySteppedDown                       Code = 189
	InvalidIndexSpecificationOption          Code = 197
	InvalidUUID                              Code = 207
	StaleClusterTime                         Code = 209
	ElectionInProgress                       Code = 216
	IncompleteTransactionHistory             Code = 217
	QueryFeatureNotAllowed                   Code = 224
	TransactionTooOld                        Code = 225
	CursorKilled                             Code = 237
	ConversionFailure                        Code = 241
	NoSuchTransaction                        Code = 251
	InvalidResumeToken                       Code = 260
	ExceededTimeLimit                        Code = 262
	OperationNotSupportedInTransaction       Code = 263
	ChangeStreamFatalError                   Code = 280
	ChangeStreamHistoryLost                  Code = 286
	QueryExceededMemoryLimitNoDiskUseAllowed Code = 292
	APIVersionError                          Code = 322
	APIStrictError                           Code = 323
	MechanismUnavailable                     Code = 334
	SocketException                          Code = 9001
	NotWritablePrimary                       Code = 10107
	BSONObjectTooLarge                       Code = 10334
	DuplicateKey                             Code = 11000
	InterruptedAtShutdown                    Code = 11600
	Interrupted                              Code = 11601
	InterruptedDueToReplStateChange          Code = 11602
	NotPrimaryNoSecondaryOk                  Code = 13435
	NotPrimaryOrSecondary                    Code = 13436
	MissingField                             Code = 40414
	ChangeStreamsNeedReplicaSet              Code = 40573
	UnsupportedOpQueryCommand                Code = 352
	NoReplicationEnabled                     Code = 76
	DuplicateField                           Code = 40413
	UnknownField                             Code = 40415
)

var names = map[Code]string{
	NoReplicationEnabled:                     "NoReplicationEnabled",
	UnsupportedOpQueryCommand:                "UnsupportedOpQueryCommand",
	InternalError:                            "InternalError",
	BadValue:                                 "BadValue",
	HostUnreachable:                          "HostUnreachable",
	HostNotFound:                             "HostNotFound",
	FailedToParse:                            "FailedToParse",
	Unauthorized:                             "Unauthorized",
	TypeMismatch:                             "TypeMismatch",
	Overflow:                                 "Overflow",
	InvalidLength:                            "InvalidLength",
	ProtocolError:                            "ProtocolError",
	AuthenticationFailed:                     "AuthenticationFailed",
	IllegalOperation:                         "IllegalOperation",
	InvalidBSON:                              "InvalidBSON",
	NamespaceNotFound:                        "NamespaceNotFound",
	IndexNotFound:                            "IndexNotFound",
	PathNotViable:                            "PathNotViable",
	ConflictingUpdateOperators:               "ConflictingUpdateOperators",
	CursorNotFound:                           "CursorNotFound",
	NoMatchingDocument:                       "NoMatchingDocument",
	NamespaceExists:                          "NamespaceExists",
	MaxTimeMSExpired:                         "MaxTimeMSExpired",
	DollarPrefixedFieldName:                  "DollarPrefixedFieldName",
	InvalidIdField:                           "InvalidIdField",
	NotSingleValueField:                      "NotSingleValueField",
	EmptyFieldName:                           "EmptyFieldName",
	DottedFieldName:                          "DottedFieldName",
	CommandNotFound:                          "CommandNotFound",
	WriteConcernTimeout:                      "WriteConcernFailed",
	ImmutableField:                           "ImmutableField",
	CannotCreateIndex:                        "CannotCreateIndex",
	IndexAlreadyExists:                       "IndexAlreadyExists",
	InvalidOptions:                           "InvalidOptions",
	InvalidNamespace:                         "InvalidNamespace",
	UnknownReplWriteConcern:                  "UnknownReplWriteConcern",
	IndexOptionsConflict:                     "IndexOptionsConflict",
	IndexKeySpecsConflict:                    "IndexKeySpecsConflict",
	NetworkTimeout:                           "NetworkTimeout",
	ShutdownInProgress:                       "ShutdownInProgress",
	UnsatisfiableWriteConcern:                "UnsatisfiableWriteConcern",
	NotExactValueField:                       "NotExactValueField",
	WriteConflict:                            "WriteConflict",
	CommandNotSupported:                      "CommandNotSupported",
	DocumentValidationFailure:                "DocumentValidationFailure",
	NotAReplicaSet:                           "NotAReplicaSet",
	CappedPositionLost:                       "CappedPositionLost",
	CursorInUse:                              "CursorInUse",
	CommandNotSupportedOnView:                "CommandNotSupportedOnView",
	InvalidPipelineOperator:                  "InvalidPipelineOperator",
	CannotIndexParallelArrays:                "CannotIndexParallelArrays",
	ClientMetadataCannotBeMutated:            "ClientMetadataCannotBeMutated",
	QueryPlanKilled:                          "QueryPlanKilled",
	PrimarySteppedDown:                       "PrimarySteppedDown",
	InvalidIndexSpecificationOption:          "InvalidIndexSpecificationOption",
	InvalidUUID:                              "InvalidUUID",
	StaleClusterTime:                         "StaleClusterTime",
	ElectionInProgress:                       "ElectionInProgress",
	IncompleteTransactionHistory:             "IncompleteTransactionHistory",
	QueryFeatureNotAllowed:                   "QueryFeatureNotAllowed",
	TransactionTooOld:                        "TransactionTooOld",
	CursorKilled:                             "CursorKilled",
	ConversionFailure:                        "ConversionFailure",
	NoSuchTransaction:                        "NoSuchTransaction",
	InvalidResumeToken:                       "InvalidResumeToken",
	ExceededTimeLimit:                        "ExceededTimeLimit",
	OperationNotSupportedInTransaction:       "OperationNotSupportedInTransaction",
	ChangeStreamFatalError:                   "ChangeStreamFatalError",
	ChangeStreamHistoryLost:                  "ChangeStreamHistoryLost",
	QueryExceededMemoryLimitNoDiskUseAllowed: "QueryExceededMemoryLimitNoDiskUseAllowed",
	APIVersionError:                          "APIVersionError",
	APIStrictError:                           "APIStrictError",
	MechanismUnavailable:                     "MechanismUnavailable",
	SocketException:                          "SocketException",
	NotWritablePrimary:                       "NotWritablePrimary",
	BSONObjectTooLarge:                       "BSONObjectTooLarge",
	DuplicateKey:                             "DuplicateKey",
	InterruptedAtShutdown:                    "InterruptedAtShutdown",
	Interrupted:                              "Interrupted",
	InterruptedDueToReplStateChange:          "InterruptedDueToReplStateChange",
	NotPrimaryNoSecondaryOk:                  "NotPrimaryNoSecondaryOk",
	NotPrimaryOrSecondary:                    "NotPrimaryOrSecondary",
}
