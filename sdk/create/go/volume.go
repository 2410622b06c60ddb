// Volumes as folders: the driver to change. What each method promises is in proto/gantry/volume/v1; a second call with the same
// request has the same answer.
package main

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"sync"

	pluginv1 "gantry-example/gen/gantry/plugin/v1"
	typesv1 "gantry-example/gen/gantry/types/v1"
	volumev1 "gantry-example/gen/gantry/volume/v1"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/emptypb"
)

const contract = "volume"
const refKind = pluginv1.Ref_VOLUME

// An optional method (usage, resize, clone) is here and in the manifest's "features" when it is written.
var methods = []string{"create", "remove", "stat", "list", "attach", "detach"}

// The contract's message Properties as JSON: this one has none.
const properties = ""

type driver struct {
	volumev1.UnimplementedVolumeDriverServer
	folder string
	mutex  sync.Mutex
	// Who uses a volume, and whether only to read.
	attached map[string]map[string]bool
}

func newDriver(dataDir string) (*driver, error) {
	folder := filepath.Join(dataDir, "volumes")
	return &driver{folder: folder, attached: map[string]map[string]bool{}}, os.MkdirAll(folder, 0o700)
}

func (d *driver) register(server *grpc.Server) {
	volumev1.RegisterVolumeDriverServer(server, d)
}

func (d *driver) names() ([]string, error) {
	entries, err := os.ReadDir(d.folder)
	if err != nil {
		return nil, fail(codes.Internal, "FOLDER_UNREADABLE", "cannot list volumes: %v", err)
	}
	names := make([]string, len(entries))
	for index, entry := range entries {
		names[index] = entry.Name()
	}
	return names, nil
}

// The engine takes fewer, but a driver is asked by others too.
var goodName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,254}$`)

func (d *driver) path(name string) (string, error) {
	if !goodName.MatchString(name) {
		return "", fail(codes.InvalidArgument, "NAME_INVALID", "volume name %q: up to 255 of a-z A-Z 0-9 _ . -", name)
	}
	return filepath.Join(d.folder, name), nil
}

func (d *driver) existing(name string) error {
	path, err := d.path(name)
	if err != nil {
		return err
	}
	if _, err := os.Stat(path); err != nil {
		return fail(codes.NotFound, "VOLUME_NOT_FOUND", "no volume %s", name)
	}
	return nil
}

func answer(name string) *volumev1.VolumeAnswer {
	return &volumev1.VolumeAnswer{Volume: &volumev1.Volume{Name: name, Scope: volumev1.Volume_LOCAL}}
}

func (d *driver) Create(_ context.Context, r *volumev1.CreateRequest) (*volumev1.VolumeAnswer, error) {
	path, err := d.path(r.Name)
	if err != nil {
		return nil, err
	}
	for option := range r.Options {
		return nil, fail(codes.InvalidArgument, "OPTION_INVALID", "there is no option %s", option)
	}
	d.mutex.Lock()
	defer d.mutex.Unlock()
	if err := os.MkdirAll(path, 0o755); err != nil {
		return nil, fail(codes.Internal, "FOLDER_UNWRITABLE", "cannot create volume %s: %v", r.Name, err)
	}
	return answer(r.Name), nil
}

func (d *driver) Remove(_ context.Context, r *volumev1.RemoveRequest) (*emptypb.Empty, error) {
	path, err := d.path(r.Name)
	if err != nil {
		return nil, err
	}
	d.mutex.Lock()
	defer d.mutex.Unlock()
	if len(d.attached[r.Name]) > 0 && !r.Force {
		return nil, fail(codes.FailedPrecondition, "VOLUME_BUSY", "volume %s is in use", r.Name)
	}
	delete(d.attached, r.Name)
	if err := os.RemoveAll(path); err != nil {
		return nil, fail(codes.Internal, "FOLDER_UNWRITABLE", "cannot remove volume %s: %v", r.Name, err)
	}
	return &emptypb.Empty{}, nil
}

func (d *driver) Stat(_ context.Context, r *volumev1.VolumeName) (*volumev1.VolumeAnswer, error) {
	if err := d.existing(r.Name); err != nil {
		return nil, err
	}
	return answer(r.Name), nil
}

func (d *driver) List(_ *emptypb.Empty, stream grpc.ServerStreamingServer[volumev1.Volume]) error {
	names, err := d.names()
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := stream.Send(answer(name).Volume); err != nil {
			return err
		}
	}
	return nil
}

func (d *driver) Attach(_ context.Context, r *volumev1.AttachRequest) (*volumev1.AttachResponse, error) {
	if err := d.existing(r.Name); err != nil {
		return nil, err
	}
	d.mutex.Lock()
	defer d.mutex.Unlock()
	uses := d.attached[r.Name]
	if uses == nil {
		uses = map[string]bool{}
		d.attached[r.Name] = uses
	}
	if readOnly, known := uses[r.AttachmentId]; known && readOnly != r.ReadOnly {
		return nil, fail(codes.AlreadyExists, "ATTACHMENT_EXISTS", "attachment %s has another mode", r.AttachmentId)
	}
	uses[r.AttachmentId] = r.ReadOnly
	// Described, not made: the engine mounts it, and takes it away even when this process is gone.
	source := &typesv1.Path{Root: &typesv1.Path_Data{Data: "volumes/" + r.Name}}
	shareable := true
	attachment := &typesv1.Attachment{Mounts: []*typesv1.Mount{{Type: "bind", Source: source}}, Shareable: &shareable}
	return &volumev1.AttachResponse{Attachment: attachment}, nil
}

func (d *driver) Detach(_ context.Context, r *volumev1.DetachRequest) (*emptypb.Empty, error) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	delete(d.attached[r.Name], r.AttachmentId)
	return &emptypb.Empty{}, nil
}
