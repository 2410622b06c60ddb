// Output as one file per container: the driver to change. What each method promises is in proto/gantry/log/v1. The engine keeps what was not
// acknowledged and sends it again: a container never waits for this.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"text/template"
	"time"

	logv1 "gantry-example/gen/gantry/log/v1"
	pluginv1 "gantry-example/gen/gantry/plugin/v1"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/emptypb"
)

const contract = "log"

// What is stored of containers is asked for by nobody: `docker logs` reads the engine's spool, unless the method read is written.
const refKind = pluginv1.Ref_KIND_UNSPECIFIED

// An optional method (read, path, purge) is here and in the manifest's "features" when it is written.
var methods = []string{"validate", "write", "purge"}

// The contract's message Properties as JSON: this one has none.
const properties = ""

type driver struct {
	logv1.UnimplementedLogDriverServer
	folder string
	mutex  sync.Mutex
	// The last entry of each stream that is stored, to leave out what a broken connection brings twice.
	stored map[string]int64
}

func newDriver(dataDir string) (*driver, error) {
	folder := filepath.Join(dataDir, "logs")
	return &driver{folder: folder, stored: map[string]int64{}}, os.MkdirAll(folder, 0o700)
}

func (d *driver) register(server *grpc.Server) {
	logv1.RegisterLogDriverServer(server, d)
}

func (*driver) names() ([]string, error) {
	return nil, nil
}

func (*driver) Validate(_ context.Context, r *logv1.ValidateRequest) (*emptypb.Empty, error) {
	if err := checkOptions(r.Options); err != nil {
		return nil, fail(codes.InvalidArgument, "OPTION_INVALID", "%v", err)
	}
	return &emptypb.Empty{}, nil
}

func (d *driver) Write(stream grpc.BidiStreamingServer[logv1.WriteRequest, logv1.WriteResponse]) error {
	var open *logv1.Open
	for {
		request, err := stream.Recv()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		switch kind := request.Kind.(type) {
		case *logv1.WriteRequest_Open:
			open = kind.Open
			if err := checkOptions(open.Options); err != nil {
				return fail(codes.InvalidArgument, "OPTION_INVALID", "%v", err)
			}
		case *logv1.WriteRequest_Batch:
			if open == nil {
				return fail(codes.FailedPrecondition, "STREAM_NOT_OPEN", "log stream got a batch before open")
			}
			acked, err := d.store(open, kind.Batch)
			if err != nil {
				return fail(codes.Unavailable, "WRITE_FAILED", "cannot store the output of %s: %v", open.Container.Id, err)
			}
			if err := stream.Send(&logv1.WriteResponse{AckedSeq: acked}); err != nil {
				return err
			}
		case *logv1.WriteRequest_Close:
			if open != nil {
				d.forget(open.StreamId)
			}
			return nil
		}
	}
}

func (d *driver) store(open *logv1.Open, batch *logv1.Batch) (int64, error) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	acked := d.stored[open.StreamId]
	var text strings.Builder
	for index, entry := range batch.Entries {
		if sequence := batch.FirstSeq + int64(index); sequence > acked {
			text.WriteString(line(entry, open.Options["prefix"]))
			acked = sequence
		}
	}
	file, err := os.OpenFile(d.path(open.Container), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	if _, err := file.WriteString(text.String()); err != nil {
		return 0, err
	}
	d.stored[open.StreamId] = acked
	return acked, nil
}

func line(entry *logv1.Entry, prefix string) string {
	at := time.Unix(entry.Time.GetSeconds(), int64(entry.Time.GetNanos())).UTC().Format("2006-01-02T15:04:05.000000000Z")
	end := "\n"
	if entry.Partial {
		end = ""
	}
	return fmt.Sprintf("%s %s%s%s", at, prefix, entry.Line, end)
}

func (d *driver) forget(streamID string) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	delete(d.stored, streamID)
}

func (d *driver) Purge(_ context.Context, r *logv1.ContainerRequest) (*emptypb.Empty, error) {
	if err := os.Remove(d.path(r.Container)); err != nil && !os.IsNotExist(err) {
		return nil, fail(codes.Internal, "FOLDER_UNWRITABLE", "cannot delete the output of %s: %v", r.Container.Id, err)
	}
	return &emptypb.Empty{}, nil
}

func (d *driver) path(container *logv1.ContainerInfo) string {
	return filepath.Join(d.folder, filepath.Base(container.Id)+".log")
}

// What users give with --log-opt: this driver's own, and those that every log driver takes. gantry-plugin.json names its own too.
func checkOptions(options map[string]string) error {
	for name, value := range options {
		check, known := optionChecks[name]
		if !known {
			return fmt.Errorf("unknown log opt '%s'", name)
		}
		if err := check(value); err != nil {
			return fmt.Errorf("log opt %s=%s: %w", name, value, err)
		}
	}
	return nil
}

var optionChecks = map[string]func(string) error{
	"prefix": anything,
	// The engine acts on these.
	"mode": oneOf("", "blocking", "non-blocking"), "max-buffer-size": size,
	"cache-disabled": flag, "cache-max-size": size, "cache-max-file": number, "cache-compress": flag,
	// What a driver may add to each line, of the container that it is told of.
	"labels": anything, "env": anything, "labels-regex": pattern, "env-regex": pattern, "tag": tag,
}

func anything(string) error { return nil }

func oneOf(values ...string) func(string) error {
	return func(text string) error {
		for _, value := range values {
			if text == value {
				return nil
			}
		}
		return fmt.Errorf("none of %q", values)
	}
}

var sizePattern = regexp.MustCompile(`(?i)^\d+(\.\d+)? ?[kmgtp]?i?b?$`)

func size(text string) error {
	if !sizePattern.MatchString(text) {
		return fmt.Errorf("no size such as 10m")
	}
	return nil
}

func flag(text string) error {
	if text == "" {
		return nil
	}
	_, err := strconv.ParseBool(text)
	return err
}

func number(text string) error {
	_, err := strconv.ParseUint(text, 10, 16)
	return err
}

func pattern(text string) error {
	_, err := regexp.Compile(text)
	return err
}

// Docker's words for a tag, with nothing in them.
type tagWords struct {
	ID, FullID, Name, ImageID, ImageFullID, ImageName, Command, DaemonName string
}

func tag(text string) error {
	parsed, err := template.New("tag").Parse(text)
	if err != nil {
		return err
	}
	return parsed.Execute(io.Discard, tagWords{})
}
