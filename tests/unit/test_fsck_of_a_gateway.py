"""What `zapfs fsck` must be told to read a cluster's bytes."""

import os

from app.cli import fsck
from app.config import Settings
from migrations.run import migrate
from roles import data_dir
from roles.data_dir import DataDir


def test_a_check_that_no_file_host_would_answer_calls_nothing_corrupt(tmp_path, capsys):
    directory = DataDir(tmp_path)
    os.close(data_dir.claim(tmp_path, "", 0))
    data_dir.prepare(directory)
    migrate(directory.database)
    assert fsck.run(Settings(data_dir=tmp_path, cluster_secret=bytes(32))) == 1
    said = capsys.readouterr()
    assert "node_id is needed" in said.err
    assert said.out == ""
