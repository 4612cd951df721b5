"""The tutorial is executed as it stands: whoever follows it must not meet an error."""

import os

import pytest

from tests.conftest import ROOT

pytestmark = pytest.mark.slow


def test_the_tutorial_runs_and_says_what_it_means(monkeypatch, tmp_path):
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.delenv("DFCORE_MODELS", raising=False)
    notebook = nbformat.read(ROOT / "docs" / "tutorial.ipynb", as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells), "it is stored without its outputs"
    nbclient.NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(tmp_path)}}).execute()
    printed = "".join(str(output) for cell in notebook.cells for output in cell.get("outputs", ()))
    assert "epochs: input should be greater than or equal to 1" in printed
    assert "completed" in printed and "roc_auc" in printed and "gradcam" in printed
