"""The Hugging Face Hub and boards of figures, with stand-ins for their libraries: what is sent where."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from hstmae.bundled import CHECKPOINTS, SAMPLES
from hstmae.config import load_config
from hstmae.errors import CheckpointError, ConfigError, DataError, UsageError
from hstmae.exchange.hub import push_dataset
from hstmae.model_folders import find_model
from hstmae.models.zoo import load_pretrained
from hstmae.remote.hub import push
from hstmae.training.run.watch import boards


class Hub(ModuleType):
    """Keeps what is put there, in a folder for each revision."""

    def __init__(self, root: Path) -> None:
        super().__init__("huggingface_hub")
        self.root, self.calls, self.broken = root, list[tuple[Any, ...]](), False
        hub = self

        class HfApi:
            def create_repo(self, repo: str, repo_type: str, private: bool, exist_ok: bool) -> None:
                hub.calls.append(("repo", repo, repo_type, private))
                if hub.broken:
                    raise ConnectionError("no network\nand more")

            def create_branch(self, repo: str, branch: str, repo_type: str, exist_ok: bool) -> None:
                hub.calls.append(("branch", branch))

            def create_commit(self, repo: str, operations: list[Any], *, commit_message: str, repo_type: str,
                              revision: str | None) -> Any:  # fmt: skip
                place = hub.root / (revision or "main")
                for name, value in operations:
                    (place / name).parent.mkdir(parents=True, exist_ok=True)
                    (place / name).write_bytes(value if isinstance(value, bytes) else Path(value).read_bytes())
                hub.calls.append(("commit", len(operations)))
                return SimpleNamespace(commit_url=f"https://hub/{repo}/{revision}")

        self.HfApi = HfApi
        self.CommitOperationAdd = lambda name, value: (name, value)

    def snapshot_download(self, name: str, revision: str | None, allow_patterns: list[str]) -> str:
        return str(self.root / (revision or "main"))


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    found = Hub(tmp_path / "hub")
    monkeypatch.setitem(sys.modules, "huggingface_hub", found)
    return found


def test_a_model_goes_there_and_comes_back(hub: Hub) -> None:
    model = load_pretrained("hst-mae-nano")
    assert model.push_to_hub("me/nano", private=True, revision="v1") == "https://hub/me/nano/v1"
    assert hub.calls == [("repo", "me/nano", "model", True), ("branch", "v1"), ("commit", 3)]
    again = type(model).from_pretrained("me/nano", revision="v1")
    assert all(a.equal(b) for a, b in zip(model.state_dict().values(), again.state_dict().values(), strict=True))
    card = (hub.root / "v1" / "README.md").read_text()
    assert 'hstmae.load("me/nano")' in card and "library_name: hstmae" in card
    with pytest.raises(CheckpointError, match="is no HST-MAE model"):
        find_model("me/nano", "v2")


def test_data_sets_come_with_a_card(hub: Hub, tmp_path: Path) -> None:
    file = SAMPLES / "sample_session.hst"
    push_dataset([file], "me/sessions", licence="cc0-1.0")
    assert (hub.root / "main" / file.name).read_bytes() == file.read_bytes()
    card = (hub.root / "main" / "README.md").read_text()
    assert "license: cc0-1.0" in card and "| 1 | 96 | 256x240" in card and "hf://datasets/me/sessions/" in card
    (tmp_path / "set" / "meta").mkdir(parents=True)
    (tmp_path / "set" / "meta" / "info.json").write_text("{}")
    push_dataset([tmp_path / "set"], "me/set", licence="mit", revision="x")
    assert (hub.root / "x" / "meta" / "info.json").read_text() == "{}"
    assert "LeRobot" in (hub.root / "x" / "README.md").read_text()
    for wrong in ([], [file, tmp_path / "set"], [CHECKPOINTS / "hst-mae-nano" / "config.json"], [tmp_path / "no.hst"]):
        with pytest.raises(UsageError):
            push_dataset(wrong, "me/x", licence="mit")


def test_what_fails_is_told(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("me", "me/a/b", "", "me/ a", "/x"):
        with pytest.raises(UsageError, match="owner/name"):
            push([], name, "model")
    hub.broken = True
    with pytest.raises(DataError, match=r"\(no network\)"):
        push([SAMPLES / "README.md"], "me/x", "dataset")
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(UsageError, match=r"hstmae\[hub\]"):
        push([], "me/x", "model")


@pytest.mark.parametrize("name", ["wandb", "trackio"])
def test_boards_get_the_figures(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Any] = []
    board = ModuleType(name)
    board.init = lambda **how: sent.append(
        (how["project"], how["name"], how["resume"], how["config"]["train"]["batch"])
    )  # type: ignore[attr-defined]
    board.log = lambda values, step: sent.append((step, values))  # type: ignore[attr-defined]
    board.finish = lambda: sent.append("end")  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, name, board)
    config = load_config("mae_nano", [f"train.{name}=games", "train.out=runs/mine"])
    (observer,) = boards(config)
    observer.start(0)
    observer.log(2, {"loss": 1.5})
    observer.validated(3, {"psnr": 30.0}, None, None, (1, 1))  # type: ignore[arg-type]
    observer.close()
    assert sent == [("games", "mine", "allow", 8), (2, {"train/loss": 1.5}), (3, {"val/psnr": 30.0}), "end"]
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ConfigError, match=f"pip install {name}"):
        boards(config)
    assert boards(load_config("mae_nano", [])) == []
