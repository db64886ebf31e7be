package mongo

import (
	"errors"

	"go.mongodb.org/mongo-driver/v2/mongo"
)

// Codes of errors that are told apart, as the server publishes them.
const (
	codeNamespaceNotFound  = 26
	codeDuplicateKey       = 11000
	codeHistoryLost        = 286
	codeCappedPositionLost = 136
	codeFatal              = 280
	codeInvalidResumeToken = 260
	codeTooLarge           = 10334
	codeNoReplicaSet       = 40573
	codeUnreadableToken    = 50811
	codeFailedToParse      = 9
	codeBadToken           = 40647
	codeTokenType          = 40649
	codeDroppedMeanwhile   = 175 // QueryPlanKilled
	codeUnauthorized       = 13
)

// code gives the code of a server's error; 0 for others.
func code(err error) int {
	var command mongo.CommandError
	if errors.As(err, &command) {
		return int(command.Code)
	}
	return 0
}
