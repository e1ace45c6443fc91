"""Setting up real servers without the model that all of them serve is skipped aloud; nothing is installed here."""

from pathlib import Path

import pytest

from servers import set_up


@pytest.mark.parametrize("models", [None, "", "no-such-folder"])
def test_without_the_model_nothing_is_set_up_and_that_is_said(
    models: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(set_up, "ROOT", tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ORCAMATH_TEST_MODELS", raising=False)
    if models is not None:
        monkeypatch.setenv("ORCAMATH_TEST_MODELS", models)
    set_up.main([])
    assert "SKIPPED: ORCAMATH_TEST_MODELS names no folder" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())
