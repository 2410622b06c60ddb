"""Image layers as folders that overlayfs lays over each other: the driver to change. It only describes mounts: the engine makes them. What
each method promises is in proto/gantry/graph/v1; a second call with the same request has the same answer."""

import os
import re
import shutil
import tempfile
import threading

import grpc
from google.protobuf import empty_pb2
from gantry.graph.v1 import graph_pb2, graph_pb2_grpc
from gantry.plugin.v1 import plugin_pb2
from gantry.types.v1 import mount_pb2

from failure import fail

CONTRACT = "graph"
REF_KIND = plugin_pb2.Ref.SNAPSHOT
# An optional method (usage, resize, status, probe) is here and in the manifest's "features" when it is written.
METHODS = ["prepare", "commit", "remove", "attach", "detach", "list"]
# The contract's message Properties as JSON.
PROPERTIES = b'{"features": []}'


class Driver(graph_pb2_grpc.GraphDriverServicer):
    """A snapshot is a folder named by its key: fs/ has its files, work/ is overlayfs' own, the file parents its chain, one key a line, and
    the file prepared is there as long as it may be written."""

    def __init__(self, data_dir):
        self.folder = os.path.join(data_dir, "snapshots")
        # Who attached what for writing.
        self.writers = {}
        self.lock = threading.Lock()
        os.makedirs(self.folder, exist_ok=True)
        # The snapshot that each lies on, None for none.
        self.parents = {key: parent_in(chain_of(os.path.join(self.folder, key))) for key in self.names()}
        # What was half made or half removed when this ended: its name is no key.
        for name in os.listdir(self.folder):
            if name.startswith("#"):
                delete_later(os.path.join(self.folder, name))

    def register(self, server):
        graph_pb2_grpc.add_GraphDriverServicer_to_server(self, server)

    def names(self):
        return [name for name in os.listdir(self.folder) if is_key(name)]

    def path(self, key, context):
        if not is_key(key):
            fail(context, grpc.StatusCode.INVALID_ARGUMENT, "KEY_INVALID", f"snapshot key {key!r}: 1 to 64 of a-z 0-9 . _ -")
        return os.path.join(self.folder, key)

    def existing(self, key, context):
        path = self.path(key, context)
        if not os.path.isdir(path):
            fail(context, grpc.StatusCode.NOT_FOUND, "SNAPSHOT_NOT_FOUND", f"snapshot {key} does not exist")
        return path

    def check_parents(self, key, chain, context):
        for parent in chain:
            if not os.path.isdir(self.path(parent, context)):
                fail(context, grpc.StatusCode.NOT_FOUND, "PARENT_NOT_FOUND", f"parent {parent} of snapshot {key} does not exist")

    def Prepare(self, request, context):
        path = self.path(request.key, context)
        with self.lock:
            if os.path.isdir(path):
                if chain_of(path) != list(request.chain):
                    fail(context, grpc.StatusCode.ALREADY_EXISTS, "SNAPSHOT_EXISTS", f"snapshot {request.key} exists with other parents")
                return graph_pb2.PrepareResponse()
            self.check_parents(request.key, request.chain, context)
            try:
                self.make_folder(path, request.chain)
            except OSError as error:
                fail(context, grpc.StatusCode.INTERNAL, "FOLDER_UNWRITABLE", f"cannot prepare snapshot {request.key}: {error}")
            self.parents[request.key] = parent_in(request.chain)
        return graph_pb2.PrepareResponse()

    def make_folder(self, path, chain):
        """It appears whole or not at all."""
        making = tempfile.mkdtemp(prefix="#new-", dir=self.folder)
        try:
            os.mkdir(os.path.join(making, "fs"), 0o755)
            os.mkdir(os.path.join(making, "work"), 0o700)
            write(os.path.join(making, "parents"), "\n".join(chain))
            write(os.path.join(making, "prepared"), "")
            os.rename(making, path)
        except OSError:
            shutil.rmtree(making, ignore_errors=True)
            raise

    def Commit(self, request, context):
        source, target = self.path(request.key, context), self.path(request.name, context)
        with self.lock:
            if not os.path.isdir(source):
                if os.path.isdir(target) and is_committed(target):
                    return graph_pb2.CommitResponse()
                fail(context, grpc.StatusCode.NOT_FOUND, "SNAPSHOT_NOT_FOUND", f"snapshot {request.key} does not exist")
            if source != target and os.path.isdir(target):
                fail(context, grpc.StatusCode.ALREADY_EXISTS, "SNAPSHOT_EXISTS", f"snapshot {request.name} exists already")
            try:
                self.freeze(source, target, request.chain)
            except OSError as error:
                fail(context, grpc.StatusCode.INTERNAL, "FOLDER_UNWRITABLE", f"cannot commit snapshot {request.key}: {error}")
            self.parents.pop(request.key, None)
            self.parents[request.name] = parent_in(request.chain)
        return graph_pb2.CommitResponse()

    def freeze(self, source, target, chain):
        """Durable when it returns. A crash on the way leaves it under one name, and the same call again goes on."""
        parents = os.path.join(source, "parents")
        write(parents + ".new", "\n".join(chain))
        os.rename(parents + ".new", parents)
        if not is_committed(source):
            os.remove(os.path.join(source, "prepared"))
        sync(parents)
        sync(source)
        if source != target:
            os.rename(source, target)
            sync(self.folder)

    def Remove(self, request, context):
        path = self.path(request.key, context)
        with self.lock:
            if not os.path.isdir(path):
                return empty_pb2.Empty()
            if is_mounted(path):
                fail(context, grpc.StatusCode.FAILED_PRECONDITION, "SNAPSHOT_BUSY", f"snapshot {request.key} is mounted")
            # Children name its folder and share nothing with it: they stay where it is made again.
            if request.key in self.parents.values() and not request.keep_children:
                child = next(key for key, parent in self.parents.items() if parent == request.key)
                reason = f"snapshot {request.key} is the parent of {child}"
                fail(context, grpc.StatusCode.FAILED_PRECONDITION, "SNAPSHOT_BUSY", reason)
            gone = tempfile.mkdtemp(prefix="#gone-", dir=self.folder)
            os.rename(path, os.path.join(gone, request.key))
            self.writers.pop(request.key, None)
            self.parents.pop(request.key, None)
        delete_later(gone)
        return empty_pb2.Empty()

    def Attach(self, request, context):
        path = self.existing(request.key, context)
        with self.lock:
            self.check_parents(request.key, request.chain, context)
            if not request.read_only:
                self.take_for_writing(request, path, context)
        attachment = mount_pb2.Attachment(mounts=[mount_of(request)], shareable=request.read_only)
        return graph_pb2.AttachResponse(attachment=attachment)

    def take_for_writing(self, request, path, context):
        if is_committed(path):
            reason = f"snapshot {request.key} is committed: it can only be attached read-only"
            fail(context, grpc.StatusCode.FAILED_PRECONDITION, "SNAPSHOT_COMMITTED", reason)
        writer = self.writers.get(request.key, request.attachment_id)
        if writer != request.attachment_id and is_mounted(path):
            reason = f"snapshot {request.key} is attached for writing already, by {writer}"
            fail(context, grpc.StatusCode.FAILED_PRECONDITION, "SNAPSHOT_BUSY", reason)
        self.writers[request.key] = request.attachment_id

    def Detach(self, request, context):
        with self.lock:
            if self.writers.get(request.key) == request.attachment_id:
                del self.writers[request.key]
        return empty_pb2.Empty()

    def List(self, request, context):
        for key in self.names():
            yield graph_pb2.Snapshot(key=key, committed=is_committed(os.path.join(self.folder, key)))


def mount_of(request):
    """Described, not made: the engine mounts it, and takes it away even when this process is gone."""
    own, lower = data_path(request.key, "fs"), [data_path(parent, "fs") for parent in request.chain]
    if not lower:
        return mount_pb2.Mount(type="bind", source=own, read_only=request.read_only)
    if request.read_only:
        overlay = mount_pb2.Overlay(lower=[own, *lower])
    else:
        overlay = mount_pb2.Overlay(lower=lower, upper=own, work=data_path(request.key, "work"))
    # Folders that moved and metadata that changed are copied up whole, so that fs/ alone says everything that changed.
    options = ["index=off", "redirect_dir=off", "metacopy=off"]
    source = mount_pb2.Path(opaque="overlay")
    return mount_pb2.Mount(type="overlay", source=source, options=options, overlay=overlay, read_only=request.read_only)


def data_path(key, part):
    return mount_pb2.Path(data=f"snapshots/{key}/{part}")


def is_key(name):
    return re.fullmatch(r"[a-z0-9._-]{1,64}", name) is not None and name not in (".", "..")


def is_committed(path):
    return not os.path.exists(os.path.join(path, "prepared"))


def chain_of(path):
    with open(os.path.join(path, "parents")) as file:
        return file.read().split()


def parent_in(chain):
    return chain[0] if chain else None


def is_mounted(path):
    """A bind mount tells the folder from its own disk's root on, an overlay the paths that it was given: both end alike. Where the engine
    keeps its mounts from this process it asks for nothing that it still has mounted."""
    with open("/proc/self/mountinfo") as file:
        return "/".join(["", *path.split("/")[-2:], ""]) in file.read()


def write(path, text):
    with open(path, "w") as file:
        file.write(text)


def sync(path):
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def delete_later(path):
    threading.Thread(target=shutil.rmtree, args=(path,), kwargs={"ignore_errors": True}, daemon=True).start()
