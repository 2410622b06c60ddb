"""What every Gantry plugin serves, whatever it is for. The driver is in the file beside this one; build.sh makes lib/ and gen/."""

import hashlib
import hmac
import json
import os
import signal
import sys
import threading
from concurrent import futures

here = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(here, "lib"), os.path.join(here, "gen")]

import grpc  # noqa: E402
from google.protobuf import empty_pb2  # noqa: E402
from gantry.plugin.v1 import plugin_pb2, plugin_pb2_grpc  # noqa: E402

import driver as drivers  # noqa: E402

with open(os.path.join(here, "gantry-plugin.json")) as file:
    manifest = json.load(file)
name = manifest["provides"][0]["drivers"][0]
# What this starts must not have it.
token = os.environ.pop("GANTRY_PLUGIN_TOKEN", "")


class Plugin(plugin_pb2_grpc.PluginServiceServicer):
    def __init__(self, driver):
        self.driver = driver

    def Handshake(self, request, context):
        """Proves that this is the process that was started."""
        return plugin_pb2.HandshakeResponse(
            name=manifest["name"],
            version=manifest["version"],
            sdk="python",
            contracts=[plugin_pb2.ContractChoice(contract=drivers.CONTRACT, version="v1")],
            state_version=manifest.get("state", {}).get("version", 0),
            proof=hmac.new(token.encode(), request.challenge, hashlib.sha256).digest(),
        )

    def Configure(self, request, context):
        """Settings and secrets, as `gantry plugin set` has them, are in the request."""
        driver = plugin_pb2.DriverInfo(contract=drivers.CONTRACT, driver=name, methods=drivers.METHODS, properties=drivers.PROPERTIES)
        return plugin_pb2.ConfigureResponse(drivers=[driver])

    def Reconcile(self, request_iterator, context):
        """The engine sends what it believes is here, and learns what is not, and what else there is."""
        known = set(self.driver.names())
        for ref in request_iterator:
            is_there = ref.kind != drivers.REF_KIND or ref.id in known
            known.discard(ref.id)
            yield plugin_pb2.RefState(ref=ref, state=plugin_pb2.RefState.OK if is_there else plugin_pb2.RefState.MISSING)
        for other in sorted(known):
            ref = plugin_pb2.Ref(contract=drivers.CONTRACT, driver=name, kind=drivers.REF_KIND, id=other)
            yield plugin_pb2.RefState(ref=ref, state=plugin_pb2.RefState.ORPHAN)

    def SelfTest(self, request, context):
        """For people to see: whether a back end answers, a program is there, …"""
        return plugin_pb2.SelfTestResponse()

    def Ping(self, request, context):
        return empty_pb2.Empty()


def main():
    if os.environ.get("GANTRY_PLUGIN") != "1":
        print(f"{manifest['name']} {manifest['version']} is a Gantry plugin and is started by the engine: gantry plugin dev {here}", file=sys.stderr)
        sys.exit(64)
    endpoint = os.environ["GANTRY_PLUGIN_ENDPOINT"]
    # A call keeps a thread for as long as it runs, and a container's log is one call: threads are made when they are needed, fewer than `resources.pids` (256) allows.
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=230))
    driver = drivers.Driver(os.environ["GANTRY_DATA_DIR"])
    plugin_pb2_grpc.add_PluginServiceServicer_to_server(Plugin(driver), server)
    driver.register(server)
    server.add_insecure_port(endpoint)
    server.start()
    # The engine waits for this line. All other output is log text.
    line = {"endpoint": endpoint, "name": manifest["name"], "version": manifest["version"], "pid": os.getpid()}
    print("GANTRY-PLUGIN 1 " + json.dumps(line), flush=True)
    wait_until_asked()
    server.stop(grace=8).wait()


def wait_until_asked():
    """The engine holds the other end of stdin: when it goes, so does this, after what is under way."""
    asked = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: asked.set())
    threading.Thread(target=lambda: (sys.stdin.read(), asked.set()), daemon=True).start()
    asked.wait()


main()
