"""Volumes as folders: the driver to change. What each method promises is in proto/gantry/volume/v1; a second call with the same
request has the same answer."""

import os
import re
import shutil
import threading

import grpc
from google.protobuf import empty_pb2
from gantry.plugin.v1 import plugin_pb2
from gantry.types.v1 import mount_pb2
from gantry.volume.v1 import volume_pb2, volume_pb2_grpc

from failure import fail

CONTRACT = "volume"
REF_KIND = plugin_pb2.Ref.VOLUME
# An optional method (usage, resize, clone) is here and in the manifest's "features" when it is written.
METHODS = ["create", "remove", "stat", "list", "attach", "detach"]
# The contract's message Properties as JSON: this one has none.
PROPERTIES = b""


class Driver(volume_pb2_grpc.VolumeDriverServicer):
    def __init__(self, data_dir):
        self.folder = os.path.join(data_dir, "volumes")
        # Who uses a volume, and whether only to read.
        self.attached = {}
        self.lock = threading.Lock()
        os.makedirs(self.folder, exist_ok=True)

    def register(self, server):
        volume_pb2_grpc.add_VolumeDriverServicer_to_server(self, server)

    def names(self):
        return os.listdir(self.folder)

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
        with self.lock:
            os.makedirs(path, exist_ok=True)
        return self.answer(request.name)

    def Remove(self, request, context):
        path = self.path(request.name, context)
        with self.lock:
            if self.attached.get(request.name) and not request.force:
                fail(context, grpc.StatusCode.FAILED_PRECONDITION, "VOLUME_BUSY", f"volume {request.name} is in use")
            self.attached.pop(request.name, None)
            try:
                shutil.rmtree(path)
            except FileNotFoundError:
                pass
            except OSError as error:
                fail(context, grpc.StatusCode.INTERNAL, "FOLDER_UNWRITABLE", f"cannot remove volume {request.name}: {error}")
        return empty_pb2.Empty()

    def Stat(self, request, context):
        self.existing(request.name, context)
        return self.answer(request.name)

    def List(self, request, context):
        for volume in sorted(self.names()):
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
