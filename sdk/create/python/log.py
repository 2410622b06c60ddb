"""Output as one file per container: the driver to change. What each method promises is in proto/gantry/log/v1. The engine keeps what was not
acknowledged and sends it again: a container never waits for this."""

import os
import re
import threading
import time

import grpc
from google.protobuf import empty_pb2
from gantry.log.v1 import log_pb2, log_pb2_grpc
from gantry.plugin.v1 import plugin_pb2

from failure import fail

CONTRACT = "log"
# What is stored of containers is asked for by nobody: `docker logs` reads the engine's spool, unless the method read is written.
REF_KIND = plugin_pb2.Ref.KIND_UNSPECIFIED
# An optional method (read, path, purge) is here and in the manifest's "features" when it is written.
METHODS = ["validate", "write", "purge"]
# The contract's message Properties as JSON: this one has none.
PROPERTIES = b""


class Driver(log_pb2_grpc.LogDriverServicer):
    def __init__(self, data_dir):
        self.folder = os.path.join(data_dir, "logs")
        # The last entry of each stream that is stored, to leave out what a broken connection brings twice.
        self.stored = {}
        self.lock = threading.Lock()
        os.makedirs(self.folder, exist_ok=True)

    def register(self, server):
        log_pb2_grpc.add_LogDriverServicer_to_server(self, server)

    def names(self):
        return []

    def Validate(self, request, context):
        check_options(request.options, context)
        return empty_pb2.Empty()

    def Write(self, request_iterator, context):
        stream = None
        for request in request_iterator:
            kind = request.WhichOneof("kind")
            if kind == "open":
                stream = request.open
                check_options(stream.options, context)
            elif stream is None:
                fail(context, grpc.StatusCode.FAILED_PRECONDITION, "STREAM_NOT_OPEN", "log stream got a batch before open")
            elif kind == "close":
                self.stored.pop(stream.stream_id, None)
                return
            else:
                try:
                    acked = self.store(stream, request.batch)
                except OSError as error:
                    reason = f"cannot store the output of {stream.container.id}: {error}"
                    fail(context, grpc.StatusCode.UNAVAILABLE, "WRITE_FAILED", reason)
                yield log_pb2.WriteResponse(acked_seq=acked)

    def store(self, stream, batch):
        with self.lock:
            acked = self.stored.get(stream.stream_id, 0)
            fresh = [entry for sequence, entry in enumerate(batch.entries, batch.first_seq) if sequence > acked]
            with open(self.path(stream.container), "ab") as file:
                file.write(b"".join(line(entry, stream.options.get("prefix", "")) for entry in fresh))
            acked = max(acked, batch.first_seq + len(batch.entries) - 1)
            self.stored[stream.stream_id] = acked
            return acked

    def Purge(self, request, context):
        try:
            os.remove(self.path(request.container))
        except FileNotFoundError:
            pass
        return empty_pb2.Empty()

    def path(self, container):
        return os.path.join(self.folder, os.path.basename(container.id) + ".log")


def line(entry, prefix):
    at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(entry.time.seconds))
    return f"{at}.{entry.time.nanos:09}Z {prefix}".encode() + entry.line + (b"" if entry.partial else b"\n")


def check_options(options, context):
    """What users give with --log-opt: this driver's own, and those that every log driver takes. gantry-plugin.json names its own too."""
    for name, value in options.items():
        check = CHECKS.get(name)
        if check is None:
            fail(context, grpc.StatusCode.INVALID_ARGUMENT, "OPTION_INVALID", f"unknown log opt '{name}'")
        if not check(value):
            fail(context, grpc.StatusCode.INVALID_ARGUMENT, "OPTION_INVALID", f"log opt {name}={value} is malformed")


def anything(_):
    return True


def matches(pattern):
    return lambda text: re.fullmatch(pattern, text, re.IGNORECASE) is not None


def is_pattern(text):
    try:
        return re.compile(text) is not None
    except re.error:
        return False


SIZE = matches(r"\d+(\.\d+)? ?[kmgtp]?i?b?")
FLAG = matches(r"1|t|true|0|f|false|")
# Docker's words for a tag.
TAG = matches(r"([^{}]|\{\{ *\.(ID|FullID|Name|ImageID|ImageFullID|ImageName|Command|DaemonName) *\}\})*")

CHECKS = {
    "prefix": anything,
    # The engine acts on these.
    "mode": matches(r"|blocking|non-blocking"),
    "max-buffer-size": SIZE,
    "cache-disabled": FLAG,
    "cache-max-size": SIZE,
    "cache-max-file": matches(r"[1-9]\d{0,5}"),
    "cache-compress": FLAG,
    # What a driver may add to each line, of the container that it is told of.
    "labels": anything,
    "env": anything,
    "labels-regex": is_pattern,
    "env-regex": is_pattern,
    "tag": TAG,
}
