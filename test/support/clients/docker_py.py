"""What programs do with the docker module of Python, one function for each thing; any that fails ends the whole."""

import io
import sys
import tarfile
import threading
import time

import docker
from docker.errors import APIError, ContainerError, ImageNotFound, NotFound

client = docker.from_env(version="auto", timeout=60)


def runs():
    assert client.containers.run("busybox", ["echo", "hello"], remove=True) == b"hello\n"
    try:
        client.containers.run("busybox", ["sh", "-c", "echo no >&2; exit 3"], remove=True)
        raise AssertionError("an exit code is an error")
    except ContainerError as error:
        assert error.exit_status == 3 and b"no" in error.stderr, error
    try:
        client.containers.run("nosuchimage:1", "true")
        raise AssertionError("there is no such image")
    except (ImageNotFound, APIError):
        pass


def lives():
    box = client.containers.run(
        "busybox", ["sh", "-c", "trap 'exit 5' TERM; echo begun; while true; do sleep 0.1; done"],
        name="py-life", labels={"py": "1"}, environment={"A": "b"}, mem_limit="64m", nano_cpus=500_000_000,
        ulimits=[docker.types.Ulimit(name="nofile", soft=100, hard=200)], detach=True,
    )
    assert [found.name for found in client.containers.list(filters={"label": "py=1"})] == ["py-life"]
    box.reload()
    assert box.status == "running" and box.attrs["HostConfig"]["Memory"] == 64 << 20
    for _ in range(100):
        if b"begun" in box.logs():
            break
        time.sleep(0.1)
    shown = box.exec_run(["sh", "-c", "echo $A"])
    assert shown == (0, b"b\n"), shown
    assert box.exec_run("sh -c 'ulimit -n'").output == b"100\n"
    code, (out, err) = box.exec_run(["sh", "-c", "echo o; echo e >&2; exit 4"], demux=True)
    assert (code, out, err) == (4, b"o\n", b"e\n")
    assert any("sleep" in " ".join(row) or "sh" in " ".join(row) for row in box.top()["Processes"])
    stats = box.stats(stream=False)
    assert stats["memory_stats"]["usage"] > 0 and stats["pids_stats"]["current"] >= 1, stats
    first = next(iter(box.stats(decode=True)))
    assert first["name"] == "/py-life"
    box.pause()
    box.reload()
    assert box.status == "paused"
    box.unpause()
    box.rename("py-renamed")
    box.update(mem_limit="128m", memswap_limit="256m")
    box.stop(timeout=10)
    assert box.wait()["StatusCode"] == 5
    box.start()
    box.restart(timeout=1)
    box.kill()
    box.remove(v=True, force=True)
    try:
        client.containers.get("py-renamed")
        raise AssertionError("it is gone")
    except NotFound:
        pass


def archives():
    box = client.containers.create("busybox", ["true"])
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        info = tarfile.TarInfo("file")
        info.size = 4
        tar.addfile(info, io.BytesIO(b"data"))
    assert box.put_archive("/tmp", packed.getvalue())
    chunks, stat = box.get_archive("/tmp/file")
    with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as tar:
        assert tar.extractfile("file").read() == b"data" and stat["size"] == 4
    assert {"Path": "/tmp/file", "Kind": 1} in box.diff()
    with tarfile.open(fileobj=io.BytesIO(b"".join(box.export()))) as tar:
        assert "bin/busybox" in tar.getnames()
    image = box.commit("py-committed", "1", changes=["CMD [\"cat\",\"/tmp/file\"]"])
    assert client.containers.run("py-committed:1", remove=True) == b"data"
    box.remove()
    client.images.remove(image.id, force=True)


def images():
    image = client.images.get("busybox")
    assert image.tag("py-tagged", "2") and "py-tagged:2" in client.images.get("busybox").tags
    saved = b"".join(client.images.get("py-tagged:2").save(named="py-tagged:2"))
    client.images.remove("py-tagged:2")
    assert client.images.load(saved)[0].tags
    assert image.history() and client.images.list(name="busybox")
    client.images.remove("py-tagged:2")
    assert client.images.prune()["SpaceReclaimed"] >= 0


def volumes_and_networks():
    volume = client.volumes.create("py-volume", labels={"py": "1"})
    client.containers.run("busybox", ["sh", "-c", "echo kept > /v/f"], volumes={"py-volume": {"bind": "/v", "mode": "rw"}}, remove=True)
    assert client.containers.run("busybox", ["cat", "/v/f"], volumes=["py-volume:/v:ro"], remove=True) == b"kept\n"
    assert [found.name for found in client.volumes.list(filters={"label": "py=1"})] == ["py-volume"]
    volume.remove()
    pool = docker.types.IPAMPool(subnet="10.88.0.0/24", gateway="10.88.0.1")
    network = client.networks.create("py-net", ipam=docker.types.IPAMConfig(pool_configs=[pool]), check_duplicate=True)
    server = client.containers.run("busybox", ["sh", "-c", "mkdir /w; echo page > /w/i; exec httpd -f -p 80 -h /w"], name="py-server", network="py-net", detach=True)
    other = client.containers.create("busybox", ["wget", "-qO-", "http://other-name/i"])
    network.disconnect(server)
    network.connect(server, aliases=["other-name"], ipv4_address="10.88.0.9")
    network.connect(other)
    other.start()
    assert other.wait()["StatusCode"] == 0, other.logs()
    assert other.logs() == b"page\n"
    network.reload()
    assert [each.name for each in network.containers] == ["py-server"], network.attrs
    for box in (server, other):
        box.remove(force=True)
    network.remove()


def ports():
    box = client.containers.run("busybox", ["httpd", "-f", "-p", "80"], ports={"80/tcp": ("127.0.0.1", None)}, detach=True)
    box.reload()
    [binding] = box.attrs["NetworkSettings"]["Ports"]["80/tcp"]
    assert binding["HostIp"] == "127.0.0.1" and int(binding["HostPort"]) > 0
    box.remove(force=True)


def streams():
    box = client.containers.create("busybox", ["cat"], stdin_open=True, tty=False)
    box.start()
    sock = box.attach_socket(params={"stdin": 1, "stdout": 1, "stream": 1})
    raw = getattr(sock, "_sock", sock)
    raw.sendall(b"typed\n")
    seen = b""
    while b"typed" not in seen:
        seen += raw.recv(1024)
    assert seen[:1] == b"\x01"
    raw.close()
    box.remove(force=True)
    seen = []
    events = client.events(decode=True, filters={"type": "container", "event": ["create", "start", "die", "destroy"]})
    reader = threading.Thread(target=lambda: [seen.append(event["Action"]) or (event["Action"] == "destroy" and events.close()) for event in events])
    reader.start()
    time.sleep(0.5)
    client.containers.run("busybox", "true", remove=True)
    reader.join(20)
    assert seen == ["create", "start", "die", "destroy"], seen


def system():
    assert client.ping() and client.version()["ApiVersion"] == "1.51"
    assert client.info()["ServerVersion"] and client.df()["LayersSize"] > 0
    assert client.containers.prune()["SpaceReclaimed"] >= 0


for step in (runs, lives, archives, images, volumes_and_networks, ports, streams, system):
    if step.__name__ in sys.argv[1:]:
        step()
        print("passed", step.__name__)
