package mongotest_test

var pipelineParts, expressionParts, outputParts, retryParts, timeParts, catalogParts, validationParts, errorParts, handshakeParts []part
