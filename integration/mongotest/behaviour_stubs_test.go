package mongotest_test

var catalogParts, validationParts, errorParts, handshakeParts []part
