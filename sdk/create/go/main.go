// What every Gantry plugin serves, whatever it is for. The driver is in the file beside this one; gen/ is made of proto/ by build.sh.
package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	pluginv1 "gantry-example/gen/gantry/plugin/v1"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
)

//go:embed gantry-plugin.json
var manifestText []byte

var manifest struct {
	Name     string
	Version  string
	Provides []struct{ Drivers []string }
	State    struct{ Version uint32 }
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	if err := json.Unmarshal(manifestText, &manifest); err != nil {
		return fmt.Errorf("gantry-plugin.json: %w", err)
	}
	if os.Getenv("GANTRY_PLUGIN") != "1" {
		fmt.Fprintf(os.Stderr, "%s %s is a Gantry plugin and is started by the engine: gantry plugin dev .\n", manifest.Name, manifest.Version)
		os.Exit(64)
	}
	endpoint, token := os.Getenv("GANTRY_PLUGIN_ENDPOINT"), []byte(os.Getenv("GANTRY_PLUGIN_TOKEN"))
	// What this starts must not have it.
	os.Unsetenv("GANTRY_PLUGIN_TOKEN")
	driver, err := newDriver(os.Getenv("GANTRY_DATA_DIR"))
	if err != nil {
		return err
	}
	listener, err := net.Listen("unix", strings.TrimPrefix(endpoint, "unix://"))
	if err != nil {
		return err
	}
	server := grpc.NewServer()
	pluginv1.RegisterPluginServiceServer(server, &plugin{token: token, driver: driver})
	driver.register(server)
	// The engine waits for this line. All other output is log text.
	line, err := json.Marshal(map[string]any{"endpoint": endpoint, "name": manifest.Name, "version": manifest.Version, "pid": os.Getpid()})
	if err != nil {
		return err
	}
	fmt.Printf("GANTRY-PLUGIN 1 %s\n", line)
	go stopWhenAsked(server)
	return server.Serve(listener)
}

// The engine holds the other end of stdin: when it goes, so does this, after what is under way.
func stopWhenAsked(server *grpc.Server) {
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		io.Copy(io.Discard, os.Stdin)
		asked <- syscall.SIGTERM
	}()
	<-asked
	time.AfterFunc(8*time.Second, server.Stop)
	server.GracefulStop()
}

// A failure by gRPC's own codes; the reason, for programs, is in the details.
func fail(code codes.Code, reason, format string, given ...any) error {
	failure, err := status.Newf(code, format, given...).WithDetails(&errdetails.ErrorInfo{Reason: reason, Domain: "gantry.dev"})
	if err != nil {
		return err
	}
	return failure.Err()
}

type plugin struct {
	pluginv1.UnimplementedPluginServiceServer
	token  []byte
	driver *driver
}

// Proves that this is the process that was started.
func (p *plugin) Handshake(_ context.Context, r *pluginv1.HandshakeRequest) (*pluginv1.HandshakeResponse, error) {
	proof := hmac.New(sha256.New, p.token)
	proof.Write(r.Challenge)
	return &pluginv1.HandshakeResponse{
		Name: manifest.Name, Version: manifest.Version, Sdk: "go", Proof: proof.Sum(nil), StateVersion: manifest.State.Version,
		Contracts: []*pluginv1.ContractChoice{{Contract: contract, Version: "v1"}},
	}, nil
}

// Settings and secrets, as `gantry plugin set` has them, are in the request.
func (*plugin) Configure(context.Context, *pluginv1.ConfigureRequest) (*pluginv1.ConfigureResponse, error) {
	info := &pluginv1.DriverInfo{Contract: contract, Driver: driverName(), Methods: methods, Properties: []byte(properties)}
	return &pluginv1.ConfigureResponse{Drivers: []*pluginv1.DriverInfo{info}}, nil
}

// The engine sends what it believes is here, and learns what is not, and what else there is.
func (p *plugin) Reconcile(stream grpc.BidiStreamingServer[pluginv1.Ref, pluginv1.RefState]) error {
	names, err := p.driver.names()
	if err != nil {
		return err
	}
	known := map[string]bool{}
	for _, name := range names {
		known[name] = true
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
		if ref.Kind == refKind && !known[ref.Id] {
			state = pluginv1.RefState_MISSING
		}
		delete(known, ref.Id)
		if err := stream.Send(&pluginv1.RefState{Ref: ref, State: state}); err != nil {
			return err
		}
	}
	for name := range known {
		ref := &pluginv1.Ref{Contract: contract, Driver: driverName(), Kind: refKind, Id: name}
		if err := stream.Send(&pluginv1.RefState{Ref: ref, State: pluginv1.RefState_ORPHAN}); err != nil {
			return err
		}
	}
	return nil
}

// For `gantry plugin` to show: whether a back end answers, a program is there, …
func (*plugin) SelfTest(context.Context, *pluginv1.SelfTestRequest) (*pluginv1.SelfTestResponse, error) {
	return &pluginv1.SelfTestResponse{}, nil
}

func (*plugin) Ping(context.Context, *emptypb.Empty) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, nil
}

func driverName() string {
	return manifest.Provides[0].Drivers[0]
}
