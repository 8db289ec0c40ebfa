module github.com/pona-realtime/pona/test

go 1.26

replace (
	github.com/pona-realtime/pona/pkg => ../pkg
	github.com/pona-realtime/pona/proto => ../proto
	github.com/pona-realtime/pona/services/edge => ../services/edge
	github.com/pona-realtime/pona/services/fanout => ../services/fanout
)
