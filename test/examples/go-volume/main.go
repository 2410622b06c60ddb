// Volumes as folders. gen/ is what protoc made of Gantry's protos.
package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	pluginv1 "gantry-volume/gen/gantry/plugin/v1"
	typesv1 "gantry-volume/gen/gantry/types/v1"
	volumev1 "gantry-volume/gen/gantry/volume/v1"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
)

// What gantry-plugin.json says too.
const name, version = "go-volume", "0.1.0"

type plugin struct {
	pluginv1.UnimplementedPluginServiceServer
	token  []byte
	folder string
}

// A failure by gRPC's own codes; the reason, for programs, is in the details.
func fail(code codes.Code, reason, format string, given ...any) error {
	failure, err := status.Newf(code, format, given...).WithDetails(&errdetails.ErrorInfo{Reason: reason, Domain: "gantry.dev"})
	if err != nil {
		return err
	}
	return failure.Err()
}

func (p *plugin) Handshake(_ context.Context, r *pluginv1.HandshakeRequest) (*pluginv1.HandshakeResponse, error) {
	proof := hmac.New(sha256.New, p.token)
	proof.Write(r.Challenge)
	return &pluginv1.HandshakeResponse{
		Name: name, Version: version, Sdk: "go", Proof: proof.Sum(nil),
		Contracts: []*pluginv1.ContractChoice{{Contract: "volume", Version: "v1"}},
	}, nil
}

func (*plugin) Configure(context.Context, *pluginv1.ConfigureRequest) (*pluginv1.ConfigureResponse, error) {
	methods := []string{"create", "remove", "stat", "list", "attach", "detach"}
	return &pluginv1.ConfigureResponse{Drivers: []*pluginv1.DriverInfo{{Contract: "volume", Driver: name, Methods: methods}}}, nil
}

func (p *plugin) Reconcile(stream grpc.BidiStreamingServer[pluginv1.Ref, pluginv1.RefState]) error {
	entries, err := os.ReadDir(p.folder)
	if err != nil {
		return fail(codes.Internal, "FOLDER_UNREADABLE", "cannot list volumes: %v", err)
	}
	known := map[string]bool{}
	for _, entry := range entries {
		known[entry.Name()] = true
	}
	for {
		ref, err := stream.Recv()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		state := pluginv1.RefState_OK
		if ref.Kind == pluginv1.Ref_VOLUME && !known[ref.Id] {
			state = pluginv1.RefState_MISSING
		}
		delete(known, ref.Id)
		if err := stream.Send(&pluginv1.RefState{Ref: ref, State: state}); err != nil {
			return err
		}
	}
	for volume := range known {
		ref := &pluginv1.Ref{Contract: "volume", Driver: name, Kind: pluginv1.Ref_VOLUME, Id: volume}
		if err := stream.Send(&pluginv1.RefState{Ref: ref, State: pluginv1.RefState_ORPHAN}); err != nil {
			return err
		}
	}
	return nil
}

func (*plugin) SelfTest(context.Context, *pluginv1.SelfTestRequest) (*pluginv1.SelfTestResponse, error) {
	return &pluginv1.SelfTestResponse{}, nil
}

func (*plugin) Ping(context.Context, *emptypb.Empty) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, nil
}

// A second call with the same request has the same answer.
type volumes struct {
	volumev1.UnimplementedVolumeDriverServer
	folder   string
	mutex    sync.Mutex
	attached map[string]map[string]bool
}

var goodName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,254}$`)

func (v *volumes) path(name string) (string, error) {
	if !goodName.MatchString(name) {
		return "", fail(codes.InvalidArgument, "NAME_INVALID", "volume name %q: up to 255 of a-z A-Z 0-9 _ . -", name)
	}
	return filepath.Join(v.folder, name), nil
}

func (v *volumes) existing(name string) error {
	path, err := v.path(name)
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

func (v *volumes) Create(_ context.Context, r *volumev1.CreateRequest) (*volumev1.VolumeAnswer, error) {
	path, err := v.path(r.Name)
	if err != nil {
		return nil, err
	}
	for option := range r.Options {
		return nil, fail(codes.InvalidArgument, "OPTION_INVALID", "there is no option %s", option)
	}
	if err := os.MkdirAll(path, 0o755); err != nil {
		return nil, fail(codes.Internal, "FOLDER_UNWRITABLE", "cannot create volume %s: %v", r.Name, err)
	}
	return answer(r.Name), nil
}

func (v *volumes) Remove(_ context.Context, r *volumev1.RemoveRequest) (*emptypb.Empty, error) {
	path, err := v.path(r.Name)
	if err != nil {
		return nil, err
	}
	v.mutex.Lock()
	defer v.mutex.Unlock()
	if len(v.attached[r.Name]) > 0 && !r.Force {
		return nil, fail(codes.FailedPrecondition, "VOLUME_BUSY", "volume %s is in use", r.Name)
	}
	delete(v.attached, r.Name)
	if err := os.RemoveAll(path); err != nil {
		return nil, fail(codes.Internal, "FOLDER_UNWRITABLE", "cannot remove volume %s: %v", r.Name, err)
	}
	return &emptypb.Empty{}, nil
}

func (v *volumes) Stat(_ context.Context, r *volumev1.VolumeName) (*volumev1.VolumeAnswer, error) {
	if err := v.existing(r.Name); err != nil {
		return nil, err
	}
	return answer(r.Name), nil
}

func (v *volumes) List(_ *emptypb.Empty, stream grpc.ServerStreamingServer[volumev1.Volume]) error {
	entries, err := os.ReadDir(v.folder)
	if err != nil {
		return fail(codes.Internal, "FOLDER_UNREADABLE", "cannot list volumes: %v", err)
	}
	for _, entry := range entries {
		if err := stream.Send(answer(entry.Name()).Volume); err != nil {
			return err
		}
	}
	return nil
}

func (v *volumes) Attach(_ context.Context, r *volumev1.AttachRequest) (*volumev1.AttachResponse, error) {
	if err := v.existing(r.Name); err != nil {
		return nil, err
	}
	v.mutex.Lock()
	defer v.mutex.Unlock()
	uses := v.attached[r.Name]
	if uses == nil {
		uses = map[string]bool{}
		v.attached[r.Name] = uses
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

func (v *volumes) Detach(_ context.Context, r *volumev1.DetachRequest) (*emptypb.Empty, error) {
	v.mutex.Lock()
	defer v.mutex.Unlock()
	delete(v.attached[r.Name], r.AttachmentId)
	return &emptypb.Empty{}, nil
}

func main() {
	if os.Getenv("GANTRY_PLUGIN") != "1" {
		fmt.Fprintf(os.Stderr, "%s %s: this is a Gantry plugin, try: gantry plugin install .\n", name, version)
		os.Exit(64)
	}
	if err := serve(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve() error {
	endpoint := os.Getenv("GANTRY_PLUGIN_ENDPOINT")
	token := []byte(os.Getenv("GANTRY_PLUGIN_TOKEN"))
	os.Unsetenv("GANTRY_PLUGIN_TOKEN")
	folder := filepath.Join(os.Getenv("GANTRY_DATA_DIR"), "volumes")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	listener, err := net.Listen("unix", strings.TrimPrefix(endpoint, "unix://"))
	if err != nil {
		return err
	}
	server := grpc.NewServer()
	pluginv1.RegisterPluginServiceServer(server, &plugin{token: token, folder: folder})
	volumev1.RegisterVolumeDriverServer(server, &volumes{folder: folder, attached: map[string]map[string]bool{}})
	line, err := json.Marshal(map[string]any{"endpoint": endpoint, "name": name, "version": version, "pid": os.Getpid()})
	if err != nil {
		return err
	}
	fmt.Printf("GANTRY-PLUGIN 1 %s\n", line)
	go func() {
		// The engine holds the other end: when it goes, so does this.
		io.Copy(io.Discard, os.Stdin)
		time.AfterFunc(5*time.Second, server.Stop)
		server.GracefulStop()
	}()
	return server.Serve(listener)
}
