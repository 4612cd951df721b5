"""The page Batch, driven by Streamlit's AppTest: every state of a batch, every filter, who may do what."""

import shutil
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as some
from streamlit.testing.v1 import AppTest

from dashboard import actions, batch_files, batch_grid, batch_view, batches, big_upload, uploads
from dashboard.batch_view import View
from dfcore.batch.store import BatchStore
from dfcore.confidence import ErrorBudget
from dfcore.runs import State
from tests.made_batches import make_batch
from tests.unit.test_pages import APP, ROOT_MODELS, button, words
