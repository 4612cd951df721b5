"""What Streamlit does after each run of a page, made to suit models that stay in memory."""

import gc

from streamlit.runtime.scriptrunner import script_runner


def spare_models() -> None:
    """Lets compiled networks live on.

    Streamlit clears Keras's session after every run, since many scripts build a model in each. Ours are kept and shared
    by all sessions: each would be compiled anew for the next heat-map, and while Keras cleared, everybody waited.
    """
    script_runner._clean_problem_modules = _nothing


def settle() -> None:
    """Takes what is in memory now out of the collector's rounds.

    Streamlit has all rubbish collected after every run. With TensorFlow and networks loaded there are half a million
    objects that will never be rubbish, and a round took 0.4 s, in which nobody else could do anything.
    """
    gc.collect()
    gc.freeze()


def _nothing() -> None:
    """Takes the place of the clearing."""
