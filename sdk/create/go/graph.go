// Image layers as folders that overlayfs lays over each other: the driver to change. It only describes mounts: the engine makes them. What
// each method promises is in proto/gantry/graph/v1; a second call with the same request has the same answer.
package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	graphv1 "gantry-example/gen/gantry/graph/v1"
	pluginv1 "gantry-example/gen/gantry/plugin/v1"
	typesv1 "gantry-example/gen/gantry/types/v1"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/emptypb"
)

const contract = "graph"
const refKind = pluginv1.Ref_SNAPSHOT

// An optional method (usage, resize, status, probe) is here and in the manifest's "features" when it is written.
var methods = []string{"prepare", "commit", "remove", "attach", "detach", "list"}

// The contract's message Properties as JSON.
const properties = `{"features": []}`

// A snapshot is a folder named by its key: fs/ has its files, work/ is overlayfs' own, the file parents its chain, one key a line, and the
// file prepared is there as long as it may be written.
type driver struct {
	graphv1.UnimplementedGraphDriverServer
	folder string
	mutex  sync.Mutex
	// Who attached what for writing.
	writers map[string]string
	// The snapshot that each lies on, "" for none.
	parents map[string]string
}

func newDriver(dataDir string) (*driver, error) {
	d := &driver{folder: filepath.Join(dataDir, "snapshots"), writers: map[string]string{}, parents: map[string]string{}}
	if err := os.MkdirAll(d.folder, 0o700); err != nil {
		return nil, err
	}
	// What was half made or half removed when this ended: its name is no key.
	leftovers, _ := filepath.Glob(filepath.Join(d.folder, "#*"))
	for _, path := range leftovers {
		go os.RemoveAll(path)
	}
	keys, err := d.names()
	for _, key := range keys {
		d.parents[key] = parentIn(chainOf(filepath.Join(d.folder, key)))
	}
	return d, err
}

func parentIn(chain []string) string {
	if len(chain) == 0 {
		return ""
	}
	return chain[0]
}

func (d *driver) register(server *grpc.Server) {
	graphv1.RegisterGraphDriverServer(server, d)
}

func (d *driver) names() ([]string, error) {
	entries, err := os.ReadDir(d.folder)
	if err != nil {
		return nil, fail(codes.Internal, "FOLDER_UNREADABLE", "cannot list snapshots: %v", err)
	}
	var keys []string
	for _, entry := range entries {
		if isKey(entry.Name()) {
			keys = append(keys, entry.Name())
		}
	}
	return keys, nil
}

var keyPattern = regexp.MustCompile(`^[a-z0-9._-]{1,64}$`)

func isKey(key string) bool {
	return keyPattern.MatchString(key) && key != "." && key != ".."
}

func (d *driver) path(key string) (string, error) {
	if !isKey(key) {
		return "", fail(codes.InvalidArgument, "KEY_INVALID", "snapshot key %q: 1 to 64 of a-z 0-9 . _ -", key)
	}
	return filepath.Join(d.folder, key), nil
}

func (d *driver) existing(key string) (string, error) {
	path, err := d.path(key)
	if err == nil && !isThere(path) {
		err = fail(codes.NotFound, "SNAPSHOT_NOT_FOUND", "snapshot %s does not exist", key)
	}
	return path, err
}

func (d *driver) checkParents(key string, chain []string) error {
	for _, parent := range chain {
		if _, err := d.existing(parent); err != nil {
			return fail(codes.NotFound, "PARENT_NOT_FOUND", "parent %s of snapshot %s does not exist", parent, key)
		}
	}
	return nil
}

func isThere(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func isCommitted(path string) bool {
	return !isThere(filepath.Join(path, "prepared"))
}

func chainOf(path string) []string {
	text, _ := os.ReadFile(filepath.Join(path, "parents"))
	return strings.Fields(string(text))
}

func (d *driver) Prepare(_ context.Context, r *graphv1.PrepareRequest) (*graphv1.PrepareResponse, error) {
	path, err := d.path(r.Key)
	if err != nil {
		return nil, err
	}
	d.mutex.Lock()
	defer d.mutex.Unlock()
	if isThere(path) {
		if !slices.Equal(chainOf(path), r.Chain) {
			return nil, fail(codes.AlreadyExists, "SNAPSHOT_EXISTS", "snapshot %s exists with other parents", r.Key)
		}
		return &graphv1.PrepareResponse{}, nil
	}
	if err := d.checkParents(r.Key, r.Chain); err != nil {
		return nil, err
	}
	if err := d.makeFolder(path, r.Chain); err != nil {
		return nil, fail(codes.Internal, "FOLDER_UNWRITABLE", "cannot prepare snapshot %s: %v", r.Key, err)
	}
	d.parents[r.Key] = parentIn(r.Chain)
	return &graphv1.PrepareResponse{}, nil
}

// It appears whole or not at all.
func (d *driver) makeFolder(path string, chain []string) error {
	making, err := os.MkdirTemp(d.folder, "#new-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(making)
	err = errors.Join(
		os.Mkdir(filepath.Join(making, "fs"), 0o755),
		os.Mkdir(filepath.Join(making, "work"), 0o700),
		os.WriteFile(filepath.Join(making, "parents"), []byte(strings.Join(chain, "\n")), 0o600),
		os.WriteFile(filepath.Join(making, "prepared"), nil, 0o600),
	)
	if err != nil {
		return err
	}
	return os.Rename(making, path)
}

func (d *driver) Commit(_ context.Context, r *graphv1.CommitRequest) (*graphv1.CommitResponse, error) {
	from, err := d.path(r.Key)
	if err != nil {
		return nil, err
	}
	to, err := d.path(r.Name)
	if err != nil {
		return nil, err
	}
	d.mutex.Lock()
	defer d.mutex.Unlock()
	if !isThere(from) {
		if isThere(to) && isCommitted(to) {
			return &graphv1.CommitResponse{}, nil
		}
		return nil, fail(codes.NotFound, "SNAPSHOT_NOT_FOUND", "snapshot %s does not exist", r.Key)
	}
	if from != to && isThere(to) {
		return nil, fail(codes.AlreadyExists, "SNAPSHOT_EXISTS", "snapshot %s exists already", r.Name)
	}
	if err := d.freeze(from, to, r.Chain); err != nil {
		return nil, fail(codes.Internal, "FOLDER_UNWRITABLE", "cannot commit snapshot %s: %v", r.Key, err)
	}
	delete(d.parents, r.Key)
	d.parents[r.Name] = parentIn(r.Chain)
	return &graphv1.CommitResponse{}, nil
}

// Durable when it returns. A crash on the way leaves it under one name, and the same call again goes on.
func (d *driver) freeze(from, to string, chain []string) error {
	parents := filepath.Join(from, "parents")
	if err := os.WriteFile(parents+".new", []byte(strings.Join(chain, "\n")), 0o600); err != nil {
		return err
	}
	if err := os.Rename(parents+".new", parents); err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(from, "prepared")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := syncPaths(parents, from); err != nil {
		return err
	}
	if from == to {
		return nil
	}
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return syncPaths(d.folder)
}

func syncPaths(paths ...string) error {
	for _, path := range paths {
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		err = errors.Join(file.Sync(), file.Close())
		if err != nil {
			return err
		}
	}
	return nil
}

func (d *driver) Remove(_ context.Context, r *graphv1.RemoveRequest) (*emptypb.Empty, error) {
	path, err := d.path(r.Key)
	if err != nil {
		return nil, err
	}
	d.mutex.Lock()
	defer d.mutex.Unlock()
	if !isThere(path) {
		return &emptypb.Empty{}, nil
	}
	if isMounted(path) {
		return nil, fail(codes.FailedPrecondition, "SNAPSHOT_BUSY", "snapshot %s is mounted", r.Key)
	}
	for other, parent := range d.parents {
		// Children name its folder and share nothing with it: they stay where it is made again.
		if !r.GetKeepChildren() && parent == r.Key {
			return nil, fail(codes.FailedPrecondition, "SNAPSHOT_BUSY", "snapshot %s is the parent of %s", r.Key, other)
		}
	}
	gone, err := os.MkdirTemp(d.folder, "#gone-")
	if err == nil {
		err = os.Rename(path, filepath.Join(gone, r.Key))
	}
	if err != nil {
		return nil, fail(codes.Internal, "FOLDER_UNWRITABLE", "cannot remove snapshot %s: %v", r.Key, err)
	}
	delete(d.writers, r.Key)
	delete(d.parents, r.Key)
	go os.RemoveAll(gone)
	return &emptypb.Empty{}, nil
}

// A bind mount tells the folder from its own disk's root on, an overlay the paths that it was given: both end alike. Where the engine keeps its
// mounts from this process it asks for nothing that it still has mounted.
func isMounted(path string) bool {
	table, _ := os.ReadFile("/proc/self/mountinfo")
	return strings.Contains(string(table), "/"+filepath.Base(filepath.Dir(path))+"/"+filepath.Base(path)+"/")
}

func (d *driver) Attach(_ context.Context, r *graphv1.AttachRequest) (*graphv1.AttachResponse, error) {
	path, err := d.existing(r.Key)
	if err != nil {
		return nil, err
	}
	d.mutex.Lock()
	defer d.mutex.Unlock()
	if err := d.checkParents(r.Key, r.Chain); err != nil {
		return nil, err
	}
	if !r.ReadOnly {
		writer, known := d.writers[r.Key]
		if isCommitted(path) {
			return nil, fail(codes.FailedPrecondition, "SNAPSHOT_COMMITTED", "snapshot %s is committed: it can only be attached read-only", r.Key)
		}
		if known && writer != r.AttachmentId && isMounted(path) {
			return nil, fail(codes.FailedPrecondition, "SNAPSHOT_BUSY", "snapshot %s is attached for writing already, by %s", r.Key, writer)
		}
		d.writers[r.Key] = r.AttachmentId
	}
	attachment := &typesv1.Attachment{Mounts: []*typesv1.Mount{mountOf(r)}, Shareable: &r.ReadOnly}
	return &graphv1.AttachResponse{Attachment: attachment}, nil
}

// Described, not made: the engine mounts it, and takes it away even when this process is gone.
func mountOf(r *graphv1.AttachRequest) *typesv1.Mount {
	own := dataPath(r.Key, "fs")
	if len(r.Chain) == 0 {
		return &typesv1.Mount{Type: "bind", Source: own, ReadOnly: &r.ReadOnly}
	}
	overlay := &typesv1.Overlay{}
	for _, parent := range r.Chain {
		overlay.Lower = append(overlay.Lower, dataPath(parent, "fs"))
	}
	if r.ReadOnly {
		overlay.Lower = append([]*typesv1.Path{own}, overlay.Lower...)
	} else {
		overlay.Upper, overlay.Work = own, dataPath(r.Key, "work")
	}
	// Folders that moved and metadata that changed are copied up whole, so that fs/ alone says everything that changed.
	options := []string{"index=off", "redirect_dir=off", "metacopy=off"}
	source := &typesv1.Path{Root: &typesv1.Path_Opaque{Opaque: "overlay"}}
	return &typesv1.Mount{Type: "overlay", Source: source, Options: options, Overlay: overlay, ReadOnly: &r.ReadOnly}
}

func dataPath(key, part string) *typesv1.Path {
	return &typesv1.Path{Root: &typesv1.Path_Data{Data: "snapshots/" + key + "/" + part}}
}

func (d *driver) Detach(_ context.Context, r *graphv1.DetachRequest) (*emptypb.Empty, error) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	if d.writers[r.Key] == r.AttachmentId {
		delete(d.writers, r.Key)
	}
	return &emptypb.Empty{}, nil
}

func (d *driver) List(_ *emptypb.Empty, stream grpc.ServerStreamingServer[graphv1.Snapshot]) error {
	keys, err := d.names()
	if err != nil {
		return err
	}
	for _, key := range keys {
		if err := stream.Send(&graphv1.Snapshot{Key: key, Committed: isCommitted(filepath.Join(d.folder, key))}); err != nil {
			return err
		}
	}
	return nil
}
