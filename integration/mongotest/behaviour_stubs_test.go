package mongotest_test

var projectionParts, bulkParts, indexParts, cursorParts, sizeParts, pipelineParts, expressionParts, outputParts, retryParts, timeParts, catalogParts, validationParts, errorParts, handshakeParts []part
