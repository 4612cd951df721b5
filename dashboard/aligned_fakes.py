"""Makes aligned fakes of a data set's real pictures: the form, the work in the background, and what came of it."""

from pathlib import Path

import streamlit as st

from dashboard import actions, audit_work, background, error_reporting, navigation, roles, widgets
from dashboard.roles import Role
from dfcore.datasets import Dataset
from dfcore.datasets.registry import made_of

_SHOWN = 20


def offer(root: Path, dataset: Dataset | None) -> None:
    """Offers to make aligned fakes; `dataset` is None where nothing tells classes, so all pictures count as real."""
    if audit_work.watch(
        background.align_key(root), kept="Pairs already made are kept: the same settings go on from there."
    ):
        return
    if place := widgets.folded("Make aligned fakes of its real pictures", f"align {root}", icon=":material/join:"):
        with place, widgets.errors():
            _form(root, dataset)


def tell(root: Path) -> None:
    """Tells once what came of the work, with a way to the new data set."""
    task = background.find(background.align_key(root))
    if task is None or task.result is None:
        return
    from dfcore.synthesis import KINDS  # Takes a moment to import.

    result = task.result
    kinds = ", ".join(f"{KINDS[name].title} {number:,}" for name, number in result.kinds.items())
    st.success(
        f"Made {result.pairs:,} pairs with self-made fakes ({widgets.plain(kinds)}). {widgets.plain(result.told)}",
        icon=":material/join:",
    )
    # A callback is heard even though the button is gone in the run that it starts.
    st.button(
        f"Open {widgets.plain(result.folder.name)}", icon=":material/arrow_forward:", key="open what was made",
        on_click=navigation.ask_for_dataset, args=(result.folder,),
    )  # fmt: skip
    if result.left_out:
        number = len(result.left_out)
        of = "1 picture" if number == 1 else f"{number:,} pictures"
        with st.expander(f"No pair was made of {of}", icon=":material/block:"):
            for path, reason in result.left_out[:_SHOWN]:
                st.markdown(f"- {widgets.plain(path)}: {widgets.plain(reason)}")
            if number > _SHOWN:
                st.markdown(f"… and {number - _SHOWN:,} more.")
    background.drop(background.align_key(root))


@error_reporting.fragment()
def _form(root: Path, dataset: Dataset | None) -> None:
    from dfcore.synthesis import KINDS, WHOLE, stored
    from dfcore.synthesis.plan import Plan

    whole = "Nothing here says which pictures are real, so **all are taken as real**. " if dataset is None else ""
    st.markdown(
        f"{whole}Each real picture goes through a decoder; picture and reconstruction are then cropped, resized and "
        "coded alike, so that only the decoder's traces distinguish them. The pairs become a new data set, "
        "which says that its fakes are self-made. The originals are not changed."
    )
    for folder in made_of(stored.name_of(root), stored.SUFFIX):
        if st.button(
            f"Open {widgets.plain(folder.name)}", key=f"open {folder}", type="tertiary", icon=":material/arrow_forward:"
        ):
            navigation.ask_for_dataset(folder)
            st.rerun()
    with widgets.errors(), st.form(f"align form {root}", border=False):
        kinds = st.multiselect(
            "Decoders", list(KINDS), default=list(WHOLE), format_func=lambda name: KINDS[name].title,
            help="Each picture gets one of them. "
            + " ".join(f"**{kind.title}**: {kind.help}" for kind in KINDS.values()),
        )  # fmt: skip
        left, middle, right = st.columns(3)
        limit = left.number_input(
            "Pictures at most",
            1,
            1_000_000,
            None,
            placeholder="all",
            help="Chosen at random, by the seed. Leave it empty for all of them.",
        )
        pairs = middle.number_input(
            "Pairs per picture", 1, 20, 1, help="Each with a different decoder, crop and compression."
        )
        seed = right.number_input("Seed", 0, 2**31 - 1, 0, help="The same seed gives the same files.")
        if st.form_submit_button(
            "Make aligned fakes", type="primary", icon=":material/join:", disabled=not roles.may(Role.TRAINER),
            help="TAEF2 takes a few seconds per megapixel. You can stop it and resume with the same settings.",
        ):  # fmt: skip
            actions.start_aligning(root, Plan(tuple(kinds), int(seed), int(pairs), int(limit) if limit else None))
            st.rerun()
