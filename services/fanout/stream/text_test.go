package stream_test

import "strconv"

// text is a number as it stands in a subject.
func text[N uint32 | uint64](n N) string { return strconv.FormatUint(uint64(n), 10) }
