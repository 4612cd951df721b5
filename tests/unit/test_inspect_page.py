"""Inspect: where pictures come from, what stays, what the settings say. What it says of a picture: test_pages."""

import json
import shutil
from contextlib import nullcontext

import pytest
import streamlit
from streamlit.testing.v1 import AppTest

from dashboard import (
    choose_pictures,
    detectors,
    evidence,
    filmstrip,
    inference_queue,
    judgement_rows,
    map_layer,
    review_keys,
    uploads,
    verdict,
    viewer,
)
from dashboard.uploads import Picture
from dfcore.confidence import DecisionThresholds, ErrorBudget, OODResult
from dfcore.detectors.bundle import read_card, write_card
from dfcore.detectors.trained_on import Seen
from dfcore.detectors.verdict import Verdict
from dfcore.errors import MissingExtraError
from dfcore.inspection.samples import samples
from tests.made_batches import make_batch
from tests.unit.cases import a_judgement
from tests.unit.test_pages import (
    accept,
    button,
    filled,
    finished,
    library,
    open_below,
    open_page,
    sized,
    upload,
    words,
    workspace,
)

__all__ = ["filled", "finished", "library", "workspace"]  # Fixtures.


def names(app: AppTest) -> list[str]:
    return [picture.name for picture in app.session_state["inspect_images"]]


def named(app: AppTest) -> str:
    """The name on the card of the picture in sight."""
    return next(item.value for item in app.caption if item.value.endswith(r"\.png")).replace("\\", "")


def take_out(app: AppTest, number: int) -> AppTest:
    """Removes one file from the uploader, which knows the others as the same ones."""
    uploader = app.file_uploader(key="inspect_upload")
    files = uploader._get_files_to_register()
    uploader._files = [*files[:number], *files[number + 1 :]]
    app.run()
    assert not app.exception, app.exception[0].message
    return app


def headings(app: AppTest) -> list[str]:
    return [item.value for item in app.markdown if item.value.startswith("## ")]


# === Where pictures come from ===


def open_pictures(app: AppTest) -> AppTest:
    """Opens the popover."""
    app.session_state["inspect_pictures"] = True
    return app.run()


def test_a_sample_joins_the_uploads_and_is_shown_with_its_truth(filled):
    app = open_pictures(upload(open_page("inspect"), sized(32), sized(40)))
    button(app, "Flower 1", "sample_flower-1.png").click().run()
    assert names(app) == ["0.png", "1.png", "flower-1.png"] and named(app) == "flower-1.png"
    assert "The truth about this sample: real." in words(app) and "A photograph" in words(app)
    button(open_pictures(app), "Temple 2", "sample_temple-2.png").click().run()
    assert "The truth about this sample: fake." in words(app) and named(app) == "temple-2.png"
    button(open_pictures(app), "Flower 1", "sample_flower-1.png").click().run()
    assert len(names(app)) == 4 and named(app) == "flower-1.png", "it is there once, and shown again"
    assert not app.exception


def test_what_the_uploader_does_not_list_is_taken_away_one_by_one(filled):
    app = open_pictures(upload(open_page("inspect"), sized(32)))
    button(app, "Flower 1", "sample_flower-1.png").click().run()
    (other,) = (item for item in open_pictures(app).button if str(item.key).startswith("loose_"))
    assert other.label == r"flower\-1\.png"
    other.click().run()
    assert names(app) == ["0.png"] and named(app) == "0.png" and not app.exception


def test_nobody_waits_for_samples_that_are_not_in_sight(filled, monkeypatch):
    app, made = upload(open_page("inspect"), sized(32)), []
    monkeypatch.setattr(choose_pictures, "_samples", lambda: made.append(1) or [])
    app.run()
    assert headings(app) and not made


def test_removing_all_uploads_takes_the_verdict_away(filled):
    app = upload(open_page("inspect"), sized(32), sized(40))
    assert headings(app)
    app.file_uploader(key="inspect_upload").set_value([]).run()
    assert names(app) == [] and not headings(app) and not app.exception


def test_all_pictures_are_removed_by_one_button(filled):
    app = upload(open_page("inspect"), sized(32))
    button(app, "Take it away").click().run()
    assert names(app) == [] and not headings(app)
    app.run()
    assert names(app) == [], "the uploader does not bring them back"


def test_several_pictures_are_not_removed_without_asking(filled):
    app = upload(open_page("inspect"), sized(32), sized(40))
    assert "Take all away" in [item.proto.popover.label for item in app.get("popover")]
    button(app, "Take all 2 pictures away").click().run()
    assert names(app) == [] and not headings(app)


# === The picture in sight ===


def choose(app: AppTest, number: int, at: int = 1) -> AppTest:
    """Chooses a picture in the strip."""
    picture = app.session_state["inspect_images"][number]
    app.session_state["inspect_strip"] = {"chosen": {"id": picture.id, "number": number, "at": at}}
    return app.run()


def test_the_picture_in_sight_stays_when_others_are_removed_and_the_popover_open(filled):
    app = choose(upload(open_page("inspect"), *(sized(32, seed) for seed in range(4))), 2)
    assert named(app) == "2.png"
    take_out(open_pictures(app), 0)
    assert names(app) == ["1.png", "2.png", "3.png"] and named(app) == "2.png"
    assert app.session_state["inspect_pictures"] is True
    take_out(app, 1)
    assert named(app) == "3.png", "gone itself, the next one stands there"
    take_out(app, 1)
    assert named(app) == "1.png", "or the one before it"


def test_the_picture_in_sight_is_still_there_after_another_page(filled):
    app = choose(upload(open_page("inspect"), sized(32), sized(40)), 1)
    app.switch_page("pages/cases.py").run()
    app.switch_page("pages/inspect.py").run()
    assert named(app) == "1.png"
    app.run()
    assert named(app) == "1.png" and not app.exception


def test_of_the_same_file_given_twice_each_can_be_chosen(filled):
    app = upload(open_page("inspect"), sized(32), sized(40), sized(32))
    for number in (2, 0, 1):
        assert named(choose(app, number, at=number)) == f"{number}.png"


@pytest.mark.parametrize("nonsense", [{}, {"id": "x"}, {"id": [], "number": 1}, {"id": 1, "number": None}, "x", 7])
def test_what_no_strip_sends_chooses_nothing(filled, nonsense):
    app = choose(upload(open_page("inspect"), sized(32), sized(40)), 1)
    app.session_state["inspect_strip"] = {"chosen": nonsense}
    app.run()
    assert named(app) == "1.png" and not app.exception


def test_a_picture_for_which_there_is_no_room_is_refused_and_nothing_else_is_shown_for_it(filled, monkeypatch):
    monkeypatch.setattr(uploads, "MOST_FILES", 2)
    app = choose(upload(open_page("inspect"), sized(32), sized(40)), 1)
    app.session_state["inspect_pictures"] = True
    app.run()
    button(app, "Flower 1", "sample_flower-1.png").click().run()
    assert "1 more beside the 2 that are there" in words(app) and not app.exception
    assert names(app) == ["0.png", "1.png"] and named(app) == "1.png"


def test_uploads_are_back_where_the_batch_of_a_picture_is_gone(filled):
    batch = make_batch(filled / "batches", 3)
    app = upload(open_page("inspect"), sized(32), sized(40))
    app.query_params["batch"], app.query_params["row"] = batch.id, "0"
    app.run()
    assert len(names(app)) == 1
    shutil.rmtree(batch.folder)
    app.run()
    assert names(app)[:2] == ["0.png", "1.png"] and not app.exception


def test_uploads_are_back_after_a_picture_of_a_batch(filled):
    batch = make_batch(filled / "batches", 3)
    app = upload(open_page("inspect"), sized(32), sized(40))
    for row in ("0", "1"):
        app.query_params["batch"], app.query_params["row"] = batch.id, row
        app.run()
        assert len(names(app)) == 1 and names(app)[0].startswith("picture 0000")
    button(app, "Back to the batch", "batch_review_back").click().run()
    app.switch_page("pages/inspect.py").run()
    assert names(app) == ["0.png", "1.png"] and not app.exception
    app.query_params["batch"], app.query_params["row"] = batch.id, "0"
    app.run()
    del app.query_params["batch"]
    app.run()
    assert names(app)[:2] == ["0.png", "1.png"] and len(names(app)) == 3, "left without going back, beside it"


def test_who_decides_reads_the_name_of_the_picture(filled, monkeypatch):
    given: list[dict] = []
    monkeypatch.setattr(review_keys, "_bar", lambda *, data, **_: given.append(data))
    app = open_below(choose(upload(open_page("inspect"), sized(32), sized(40)), 1), "Notes")
    assert given[-1]["name"] == "1.png"
    assert r"On **1\.png**:" in words(app)
    # The same file under another name is decided on by that one.
    upload(app, sized(32), sized(32, seed=7))
    app.session_state["inspect_images"] = [Picture("renamed.png", sized(32))]
    app.run()
    assert r"On **renamed\.png**:" in words(app)


def test_the_strip_says_of_each_what_card_and_table_say(monkeypatch):
    monkeypatch.setattr(filmstrip.file_evidence, "says", lambda data: "nothing")
    at = DecisionThresholds(real_below=0.2, fake_from=0.8)
    unlike = Verdict(0.1, 0.5, thresholds=at, ood=OODResult(2.0, ("far",)))
    tuned = Verdict(0.9, 0.5, thresholds=at, seen=Seen.LIKE_VALIDATION)
    items = [filmstrip._item(Picture("a.png", sized(32)), one, None) for one in (unlike, tuned)]
    assert [item["mark"] for item in items] == ["? Inconclusive", "▲ Likely fake"]
    assert [item["notes"] for item in items] == [[], ["looks like one used to tune the detector"]]
    assert "perhaps a re-saved" in items[1]["title"] and items[0]["title"].startswith("a.png")


def test_what_is_added_after_another_page_joins_what_was_there(filled):
    app = upload(open_page("inspect"), sized(32))
    app.switch_page("pages/models.py").run()
    app.switch_page("pages/inspect.py").run()
    assert names(app) == ["0.png"]
    app.file_uploader(key="inspect_upload").set_value([("new.png", sized(40), "image/png")]).run()
    assert names(app) == ["0.png", "new.png"] and not app.exception


def test_pictures_are_told_apart_by_their_contents():
    assert Picture("a.png", b"x").id == Picture("b.png", b"x").id != Picture("a.png", b"y").id


def test_no_sample_gives_away_what_it_is_before_its_verdict(filled):
    app = open_page("inspect")
    for sample in samples():
        assert sample.truth not in words(app)
    assert "whose truth is known" in words(app) and "not how good a detector is" in words(app)


# === Detectors ===


def test_demonstration_detectors_are_no_first_choice_and_do_not_answer_unasked(library):
    for name in ("thumbnails", "photographs"):
        folder = library / "models" / name
        card = read_card(folder)
        if name == "photographs":
            training = card.training.model_copy(update={"demonstration": True})
            write_card(folder, card.model_copy(update={"training": training}))
    app = upload(open_page("inspect"), sized(300))
    assert "auto" not in app.selectbox(key="detector").value, "one that may answer leaves nothing to choose"
    assert app.selectbox(key="detector").value == "thumbnails"
    app.selectbox(key="detector").set_value("photographs").run()
    assert "Judged by Photographs" in words(app) and not app.exception


# === Settings ===


def test_the_budget_that_is_shown_is_the_cards_until_another_is_set(library):
    folder = library / "models" / "thumbnails"
    card = read_card(folder)
    at = DecisionThresholds(real_below=0.1, fake_from=0.9, budget=ErrorBudget(max_fpr=0.001, max_fnr=0.02), images=9)
    write_card(folder, card.model_copy(update={"decision_thresholds": at}))
    app = open_page("inspect")
    app.selectbox(key="detector").set_value("thumbnails")
    upload(app, sized(32))
    assert app.number_input(key="inspect_max_fpr").value == pytest.approx(0.1)
    assert app.number_input(key="inspect_max_fnr").value == pytest.approx(2)
    app.session_state["inspect_tab"] = "Details"
    app.run()
    assert "at most 0.1% false alarms and 2% missed fakes" in words(app)
    app.toggle(key="inspect_own_budget").set_value(True).run()
    assert app.number_input(key="inspect_max_fpr").value == pytest.approx(0.1), "one's own begins with the card's"


def test_how_often_an_alarm_is_right_is_told_for_the_number_that_is_shown():
    def page() -> None:
        from unittest.mock import patch

        from dashboard import verdict
        from dfcore.confidence import DecisionThresholds
        from dfcore.detectors.verdict import Verdict
        from dfcore.evaluation import MeasuredRates

        rates = MeasuredRates("the test split of demo", 100, 50, 3, 20, 4, 60)
        alarm = Verdict(0.9, 0.5, thresholds=DecisionThresholds(real_below=0.2, fake_from=0.8))
        with patch.object(verdict.inference, "rates", lambda entry, at: rates):
            verdict._base_rate(None, alarm)

    app = AppTest.from_function(page).run()
    assert "If one in 10 such pictures is fake" in words(app)
    for outside in (1, 0, -5, 10_000_000):
        app.number_input[0].set_value(outside).run()
        assert not app.exception and app.number_input[0].value == outside
        assert f"For one in {outside:,} there is no answer" in words(app) and "such pictures" not in words(app)
    app.number_input[0].set_value(1_000_000).run()
    assert "If one in 1,000,000 such pictures is fake" in words(app)


# === What is being done ===


def test_a_first_upload_says_what_is_being_done(library, monkeypatch):
    told: list[str] = []
    monkeypatch.setattr(streamlit, "spinner", lambda text, **_: told.append(text) or nullcontext())
    detectors._load.clear()
    detectors._loaded.clear()
    monkeypatch.setattr(detectors, "warm", lambda entries: None)
    app = upload(open_page("inspect"), sized(32, seed=81))
    assert told[0].startswith("Loading the detectors") and headings(app)
    told.clear()
    upload(app, sized(32, seed=82))
    assert told[0] == "Judging …"


# === The picture ===


@pytest.fixture
def viewed(monkeypatch) -> list[dict]:
    given: list[dict] = []
    monkeypatch.setattr(viewer, "_viewer", lambda *, data, **_: given.append(json.loads(json.dumps(data))))
    return given


def insisting() -> AppTest:
    """Inspect, with maps of pictures too whose score would not be used."""
    app = open_page("inspect")
    app.session_state["inspect_ignore_ood"] = True
    return app


def test_the_picture_is_shown_before_its_map_is_computed_and_then_with_it(filled, viewed):
    upload(insisting(), sized(32))
    first, last = viewed[0], viewed[-1]
    assert first["map"] is None and first["waiting"] == "Computing the heat-map …"
    # By address, so that neither is sent again with every point of the magnifier.
    assert "media/" in last["map"] and max(len(last[layer]) for layer in ("picture", "map")) < 200
    assert first["picture"] == last["picture"] and not last["waiting"]
    assert last["alt"].startswith("0.png: 32 by 32 pixels")


@pytest.mark.parametrize("crowded", [True, False])
def test_where_others_wait_a_picture_comes_with_its_map_in_one_turn(crowded, filled, viewed, monkeypatch):
    monkeypatch.setattr(Verdict, "is_used", True)
    monkeypatch.setattr(inference_queue.Turns, "is_crowded", crowded)
    upload(open_page("inspect"), sized(32, seed=83))
    assert (viewed[0]["map"] is not None) is crowded and viewed[-1]["map"]
    assert inference_queue.inference.until_idle(0)


def test_nobody_waits_for_a_slow_map_of_another_before_its_verdict_is_shown(filled, viewed, monkeypatch):
    monkeypatch.setattr(Verdict, "is_used", True)
    monkeypatch.setattr(inference_queue.Turns, "is_crowded", True)
    app = open_page("inspect")
    app.session_state["inspect_method"] = "saliency"
    upload(app, sized(32, seed=85))
    assert viewed[0]["map"] is None and viewed[-1]["map"]


def test_a_map_that_fails_takes_no_verdict_with_it_where_others_wait(filled, viewed, monkeypatch):
    def fail(*_, **__):
        raise MissingExtraError("Heat-maps need what is not there.")

    monkeypatch.setattr(Verdict, "is_used", True)
    monkeypatch.setattr(inference_queue.Turns, "is_crowded", True)
    monkeypatch.setattr(evidence.inference, "heatmap", fail)
    app = upload(open_page("inspect"), sized(32, seed=84))
    assert viewed[0]["map"] is None and headings(app)
    assert "Heat-maps need what is not there" in words(app).replace("\\", "")


def test_the_legend_says_of_what_the_map_is_evidence(filled, viewed):
    app = accept(upload(open_page("inspect"), sized(32)), 50)
    app.toggle(key="inspect_ignore_ood").set_value(True).run()
    for target in ("real", "fake"):
        app.segmented_control(key="inspect_target").set_value(target).run()
        assert viewed[-1]["evidence"] == f"high evidence of {target}"
    assert viewed[0]["map"] is None and viewed[0]["evidence"] == ""


def test_the_magnifier_gets_the_originals_own_pixels(filled, viewed, monkeypatch):
    import base64
    import io

    import numpy as np
    from PIL import Image

    data = sized(300)
    app = upload(insisting(), data)
    assert viewed[-1]["crop"] is None
    image = app.session_state["inspect_images"][0].id
    for asked, corner in (((150, 150), (22, 22)), ((0, 0), (0, 0)), ((10**9, -5), (44, 0))):
        app.session_state["inspect_viewer"] = {"look": {"image": image, "x": asked[0], "y": asked[1]}}
        app.run()
        crop = viewed[-1]["crop"]
        pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(crop["src"].partition(",")[2]))))
        left, top = corner
        assert (crop["x0"], crop["y0"]) == corner
        assert (pixels == np.asarray(Image.open(io.BytesIO(data)))[top : top + 256, left : left + 256]).all()
    with monkeypatch.context() as patched:
        patched.setattr(viewer.sandbox, "part", None)
        patched.setattr(map_layer, "layer", None)
        app.run()
        assert viewed[-1]["crop"] == crop, "it is not decoded again while the point stays"
        assert viewed[-1]["map"] and not app.exception, "nor is the map drawn again"
    for nonsense in (
        {"image": image},
        {"image": image, "x": float("inf"), "y": 0},
        {"image": image, "x": "a", "y": []},
        {"image": "other", "x": 1, "y": 1},
        "x",
    ):
        app.session_state["inspect_viewer"] = {"look": nonsense}
        app.run()
        assert viewed[-1]["crop"] is None and not app.exception


def test_an_unlike_image_has_no_knob_on_its_scale():
    at = DecisionThresholds(real_below=0.2, fake_from=0.8)
    used, unlike = Verdict(0.1, 0.5, thresholds=at), Verdict(0.1, 0.5, thresholds=at, ood=OODResult(2.0, ("far",)))
    assert "border-radius" in verdict.scale(used, at) and "score 0.100" in verdict.scale(used, at)
    assert "border-radius" not in verdict.scale(unlike, at) and "0.100" not in verdict.scale(unlike, at)
    assert "likely real" not in verdict.scale(used, at), "a low score is no right to these words"


def test_no_more_is_kept_than_the_limits(monkeypatch):
    kept: dict = {}
    monkeypatch.setattr(uploads.st, "session_state", kept)
    monkeypatch.setattr(uploads, "MOST_BYTES", 5)
    uploads.keep([Picture("a", b"xxx"), Picture("b", b"xx"), Picture("c", b"x")])
    assert [picture.name for picture in uploads.images()] == ["a", "b"] and kept["inspect_left_out"] == 1


def test_what_was_just_added_is_shown(filled):
    app = upload(open_page("inspect"), sized(32))
    app.switch_page("pages/models.py").run()
    app.switch_page("pages/inspect.py").run()
    app.file_uploader(key="inspect_upload").set_value([("new.png", sized(40), "image/png")]).run()
    assert r"new\.png" in [caption.value for caption in app.caption] or "new.png" in words(app)
    app.run()
    assert "new.png" in words(app).replace("\\", "") and "0.png" not in words(app).replace("\\", "")


# === Words ===


def test_a_verdict_that_does_not_hold_says_after_how_many_changes_it_is_what():
    assert evidence._held(["fake", "fake", "no_sign", "inconclusive", "inconclusive"]) == (
        "the verdict does not hold for all of them; after 2 it is “inconclusive”, after 1 it is “no sign of a fake "
        "found”."
    )
    assert evidence._held(["fake", "fake"]) == "the verdict holds."


def test_of_several_parts_and_one_score_each_is_called_what_it_is():
    said = viewer._notes(("whole image", "centre"), [True, False], False, False)
    assert said == "2 parts were looked at, but the score was not used: whole image; centre."


def test_a_stored_score_that_is_not_used_is_not_shown_beside_another():
    one = a_judgement(0.98765, finding="inconclusive", ood=True)
    assert judgement_rows._facts(one)["Score"] == "not used"
    assert judgement_rows._facts(a_judgement(0.98765))["Score"] == "0.9877"
