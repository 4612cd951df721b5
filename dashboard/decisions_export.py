"""What people decided, as a labelled data set for the next training."""

from typing import TYPE_CHECKING

import streamlit as st

from dashboard import case_actions, doing, roles, widgets
from dashboard.navigation import go
from dashboard.roles import Role

if TYPE_CHECKING:
    from dfcore.cases import Store
    from dfcore.exchange.decisions import Exported

_RESULT, _SHOWN = "decisions_exported", 20


def offer(store: "Store", *, case: int | None = None) -> None:
    """Offers to write the pictures that were decided to be real or fake as a data set.

    Args:
        store: The store.
        case: Number of a case; None for all pictures.
    """
    from dfcore.cases import Query

    if not roles.may(Role.TRAINER):
        return
    real, fake = (store.search(Query(decided=label, case=case), limit=1).total for label in ("real", "fake"))
    st.markdown(f"**Decisions as a data set**: {real:,} decided to be real, {fake:,} to be fake.",
                help="Only pictures that were kept can be in it; the others are listed as missing.")  # fmt: skip
    field = f"export_name_{case}"
    st.text_input("Name of the data set", key=field, placeholder="decisions-2026",
                  help="A new folder among the workbench's own data sets.")  # fmt: skip
    doing.button("Export and register", lambda: _export(field, case), key=f"export_{case}",
                 icon=":material/output:", disabled=not real + fake)  # fmt: skip
    if (made := st.session_state.get(_RESULT)) is not None and made[0] == case:
        _tell(made[1])


def _export(field: str, case: int | None) -> str:
    made = case_actions.export_decisions(st.session_state.get(field, ""), case=case)
    st.session_state[_RESULT], st.session_state[field] = (case, made), ""
    return "The data set is written and registered."


def _tell(made: "Exported") -> None:
    st.success(f"{widgets.plain(made.folder.name)}: {made.real:,} real and {made.fake:,} fake pictures.",
               icon=":material/photo_library:")  # fmt: skip
    if made.missing:
        with st.expander(f"{len(made.missing):,} decided pictures are missing in it", icon=":material/hide_image:"):
            rows = [{"File": one.name, "Decision": one.decided, "Why": one.reason, "SHA-256": one.sha256}
                    for one in made.missing]  # fmt: skip
            widgets.table(rows, f"{len(rows)} decided pictures that are not in the data set")
            if made.listed is not None:
                st.caption(f"The same as a table: {widgets.plain(made.listed)}")
    if st.button("Open it in Data sets", key="export_open", icon=":material/arrow_forward:"):
        go("datasets", dataset=str(made.folder))
