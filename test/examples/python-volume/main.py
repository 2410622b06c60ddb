"""Volumes as folders. lib/ has grpcio, gen/ what protoc made of Gantry's protos: see README.md."""

import hashlib
import hmac
import json
import os
import re
import shutil
import sys
import threading
from concurrent import futures

here = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(here, "lib"), os.path.join(here, "gen")]

import grpc  # noqa: E402
from google.protobuf import empty_pb2  # noqa: E402
from gantry.plugin.v1 import plugin_pb2, plugin_pb2_grpc  # noqa: E402
from gantry.types.v1 import mount_pb2, status_pb2  # noqa: E402
from gantry.volume.v1 import volume_pb2, volume_pb2_grpc  # noqa: E402

with open(os.path.join(here, "gantry-plugin.json")) as file:
    manifest = json.load(file)
name = manifest["provides"][0]["drivers"][0]
token = os.environ.pop("GANTRY_PLUGIN_TOKEN", "")


def fail(context, code, reason, message):
    """A failure by gRPC's own codes; the reason, for programs, is in the details, the same bytes as google.rpc.Status."""
    info = status_pb2.ErrorInfo(reason=reason, domain="gantry.dev").SerializeToString()
    detail = status_pb2.ErrorDetail(type_url="type.googleapis.com/google.rpc.ErrorInfo", value=info)
    whole = status_pb2.ErrorStatus(code=code.value[0], message=message, details=[detail])
    context.set_trailing_metadata((("grpc-status-details-bin", whole.SerializeToString()),))
    context.abort(code, message)


class Plugin(plugin_pb2_grpc.PluginServiceServicer):
    def __init__(self, volumes):
        self.volumes = volumes

    def Handshake(self, request, context):
        return plugin_pb2.HandshakeResponse(
            name=manifest["name"],
            version=manifest["version"],
            sdk="python",
            contracts=[plugin_pb2.ContractChoice(contract="volume", version="v1")],
            proof=hmac.new(token.encode(), request.challenge, hashlib.sha256).digest(),
        )

    def Configure(self, request, context):
        methods = ["create", "remove", "stat", "list", "attach", "detach"]
        return plugin_pb2.ConfigureResponse(drivers=[plugin_pb2.DriverInfo(contract="volume", driver=name, methods=methods)])

    def Reconcile(self, request_iterator, context):
        known = set(os.listdir(self.volumes.folder))
        for ref in request_iterator:
            is_there = ref.kind != plugin_pb2.Ref.VOLUME or ref.id in known
            known.discard(ref.id)
            yield plugin_pb2.RefState(ref=ref, state=plugin_pb2.RefState.OK if is_there else plugin_pb2.RefState.MISSING)
        for volume in sorted(known):
            ref = plugin_pb2.Ref(contract="volume", driver=name, kind=plugin_pb2.Ref.VOLUME, id=volume)
            yield plugin_pb2.RefState(ref=ref, state=plugin_pb2.RefState.ORPHAN)

    def SelfTest(self, request, context):
        return plugin_pb2.SelfTestResponse()

    def Ping(self, request, context):
        return empty_pb2.Empty()


class Volumes(volume_pb2_grpc.VolumeDriverServicer):
    """A second call with the same request has the same answer."""

    def __init__(self, folder):
        self.folder = folder
        self.attached = {}
        self.lock = threading.Lock()
        os.makedirs(folder, exist_ok=True)

    def path(self, volume, context):
        if not re.fullmatch(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,254}", volume):
            fail(context, grpc.StatusCode.INVALID_ARGUMENT, "NAME_INVALID", f"volume name {volume!r}: up to 255 of a-z A-Z 0-9 _ . -")
        return os.path.join(self.folder, volume)

    def existing(self, volume, context):
        path = self.path(volume, context)
        if not os.path.isdir(path):
            fail(context, grpc.StatusCode.NOT_FOUND, "VOLUME_NOT_FOUND", f"no volume {volume}")
        return path

    def answer(self, volume):
        return volume_pb2.VolumeAnswer(volume=volume_pb2.Volume(name=volume, scope=volume_pb2.Volume.LOCAL))

    def Create(self, request, context):
        path = self.path(request.name, context)
        for option in request.options:
            fail(context, grpc.StatusCode.INVALID_ARGUMENT, "OPTION_INVALID", f"there is no option {option}")
        os.makedirs(path, exist_ok=True)
        return self.answer(request.name)

    def Remove(self, request, context):
        path = self.path(request.name, context)
        with self.lock:
            if self.attached.get(request.name) and not request.force:
                fail(context, grpc.StatusCode.FAILED_PRECONDITION, "VOLUME_BUSY", f"volume {request.name} is in use")
            self.attached.pop(request.name, None)
            shutil.rmtree(path, ignore_errors=True)
        return empty_pb2.Empty()

    def Stat(self, request, context):
        self.existing(request.name, context)
        return self.answer(request.name)

    def List(self, request, context):
        for volume in sorted(os.listdir(self.folder)):
            yield self.answer(volume).volume

    def Attach(self, request, context):
        self.existing(request.name, context)
        with self.lock:
            uses = self.attached.setdefault(request.name, {})
            if uses.setdefault(request.attachment_id, request.read_only) != request.read_only:
                fail(context, grpc.StatusCode.ALREADY_EXISTS, "ATTACHMENT_EXISTS", f"attachment {request.attachment_id} has another mode")
        # Described, not made: the engine mounts it, and takes it away even when this process is gone.
        mount = mount_pb2.Mount(type="bind", source=mount_pb2.Path(data=f"volumes/{request.name}"))
        return volume_pb2.AttachResponse(attachment=mount_pb2.Attachment(mounts=[mount], shareable=True))

    def Detach(self, request, context):
        with self.lock:
            self.attached.get(request.name, {}).pop(request.attachment_id, None)
        return empty_pb2.Empty()


def main():
    if os.environ.get("GANTRY_PLUGIN") != "1":
        print(f"{manifest['name']} {manifest['version']}: this is a Gantry plugin, try: gantry plugin install {here}", file=sys.stderr)
        sys.exit(64)
    endpoint = os.environ["GANTRY_PLUGIN_ENDPOINT"]
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=32))
    volumes = Volumes(os.path.join(os.environ["GANTRY_DATA_DIR"], "volumes"))
    plugin_pb2_grpc.add_PluginServiceServicer_to_server(Plugin(volumes), server)
    volume_pb2_grpc.add_VolumeDriverServicer_to_server(volumes, server)
    server.add_insecure_port(endpoint)
    server.start()
    line = {"endpoint": endpoint, "name": manifest["name"], "version": manifest["version"], "pid": os.getpid()}
    print("GANTRY-PLUGIN 1 " + json.dumps(line), flush=True)
    # The engine holds the other end: when it goes, so does this.
    sys.stdin.read()
    server.stop(grace=5).wait()


main()
