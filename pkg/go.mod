module github.com/pona-realtime/pona/pkg

go 1.26
