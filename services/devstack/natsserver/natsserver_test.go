package natsserver

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// store publishes a message to a stream, which is made if it does not exist, and returns its sequence.
func store(t *testing.T, s *Server, payload []byte) uint64 {
	t.Helper()
	conn, err := nats.Connect(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.CreateOrUpdateStream(t.Context(), jetstream.StreamConfig{Name: "TEST", Subjects: []string{"test"}}); err != nil {
		t.Fatal(err)
	}
	ack, err := js.Publish(t.Context(), "test", payload)
	if err != nil {
		t.Fatal(err)
	}
	return ack.Sequence
}

func TestStreamsSurviveInAGivenFolder(t *testing.T) {
	dir := t.TempDir()
	for want := uint64(1); want <= 2; want++ {
		s, err := Start(dir)
		if err != nil {
			t.Fatal(err)
		}
		if got := store(t, s, bytes.Repeat([]byte("x"), 7<<20)); got != want {
			t.Errorf("sequence %d, want %d", got, want)
		}
		if err := s.Stop(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTemporaryFolderIsRemoved(t *testing.T) {
	s, err := Start("")
	if err != nil {
		t.Fatal(err)
	}
	store(t, s, []byte("x"))
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(s.dir); !os.IsNotExist(err) {
		t.Errorf("%s after Stop: %v", s.dir, err)
	}
}

func TestUnusableFolderIsRefused(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err := Start(filepath.Join(file, "below")); err == nil {
		s.Stop()
		t.Error("started in a folder that cannot be")
	}
}
