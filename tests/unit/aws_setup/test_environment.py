"""Lines are added to `.env`; those that are there stay."""

from pathlib import Path

import pytest

from email_consumer.aws_setup.environment import EnvironmentFileError, write


def test_a_file_gets_what_it_lacks(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text(
        "# mine\nAWS_REGION=eu-west-1\nCONFIGURATION_SET=\nexport SQS_QUEUE_URL='https://other/'\nAPI_KEY=x"
    )
    path.chmod(0o640)
    wanted = {
        "AWS_REGION": "eu-west-1",
        "CONFIGURATION_SET": "set",
        "SQS_QUEUE_URL": "https://q/",
        "SNS_TOPIC_ARNS": "a",
    }
    assert write(path, wanted) == {"SQS_QUEUE_URL": "https://other/"}
    assert path.read_text() == (
        "# mine\nAWS_REGION=eu-west-1\nexport SQS_QUEUE_URL='https://other/'\nAPI_KEY=x\n"
        "CONFIGURATION_SET=set\nSNS_TOPIC_ARNS=a\n"
    )
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_new_file_is_private(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    assert write(path, {"AWS_REGION": "eu-west-1"}) == {}
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("AWS_REGION=eu-west-1\n", 0o600)


def test_a_file_that_has_everything_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("AWS_REGION=eu-west-1")
    before = path.stat()
    write(path, {"AWS_REGION": "eu-west-1"})
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("")
    (tmp_path / ".env").symlink_to(tmp_path / "real")
    write(tmp_path / ".env", {"AWS_REGION": "eu-west-1"})
    assert (tmp_path / ".env").is_symlink()
    assert (tmp_path / "real").read_text() == "AWS_REGION=eu-west-1\n"


def test_a_file_that_can_not_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / ".env").mkdir()
    with pytest.raises(EnvironmentFileError, match=r"\.env"):
        write(tmp_path / ".env", {"AWS_REGION": "eu-west-1"})
