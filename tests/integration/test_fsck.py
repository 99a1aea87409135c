"""`zapfs fsck`: what it finds on a running, a stopped, a killed and a damaged store."""

import os

from tests.integration.server import Server

BODY = os.urandom(300_000)


def filled(server: Server) -> None:
    client = server.client()
    client.create_bucket(Bucket="checked")
    client.put_object(Bucket="checked", Key="inline", Body=b"small")
    client.put_object(Bucket="checked", Key="chunk", Body=BODY)


def test_a_whole_store_is_clean_while_it_runs_after_a_stop_and_after_a_kill(own_server):
    server = own_server()
    filled(server)
    for end in (None, server.stop, server.kill):
        if end is not None:
            end()
        done = server.fsck()
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.startswith(f"2 objects of {len(BODY) + 5} bytes, 1 chunks")
        if end == server.stop:
            server.start()
    server.start()
    assert server.client().get_object(Bucket="checked", Key="chunk")["Body"].read() == BODY


def test_a_damaged_object_is_named_with_exit_code_1_and_healed_by_its_bytes_sent_again(own_server):
    server = own_server()
    filled(server)
    server.stop()
    [segment] = [p for p in (server.data_dir / "chunks").rglob("*.seg") if BODY[:64] in p.read_bytes()]
    data = bytearray(segment.read_bytes())
    data[data.index(BODY[:64]) + 1_000] ^= 1
    segment.write_bytes(data)
    done = server.fsck()
    assert done.returncode == 1
    assert "b'chunk'" in done.stdout
    assert "unreadable objects: 1" in done.stdout
    server.start()
    assert server.raw().call("GET", "/checked/inline").body == b"small"
    assert server.raw().call("GET", "/checked/chunk").status == 503
    assert server.raw().call("PUT", "/checked/again", BODY).status == 200
    for key in ("chunk", "again"):
        assert server.raw().call("GET", f"/checked/{key}").body == BODY, "bytes sent again heal what shares them"
    server.stop()
    assert server.fsck().returncode == 0


def test_a_directory_that_is_no_store_is_refused_with_exit_code_1(tmp_path):
    (tmp_path / "data").mkdir()
    done = Server(tmp_path / "data", dev=True).fsck()
    assert done.returncode == 1
    assert "not a ZapFS data directory" in done.stderr
