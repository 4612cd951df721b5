"""The tab of forensic views, on a page of its own, and the figures that it draws."""

import io

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from dfcore import figures
from dfcore.forensics import VIEWS


def picture(height: int = 120, width: int = 160) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3)).astype(np.uint8)


def png(rgb: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(rgb).save(file, "PNG")
    return file.getvalue()


def page(data: bytes, name: str) -> None:
    from dashboard import forensics_view

    forensics_view.show(data, name)


def opened(data: bytes, name: str = "a_[b](c).png") -> AppTest:
    app = AppTest.from_function(page, default_timeout=60, args=(data, name)).run()
    assert not app.exception
    return app


def chosen(app: AppTest, *keys: str) -> AppTest:
    app.session_state["forensics_chosen"] = list(keys)
    app.run()
    assert not app.exception
    return app


def words(app: AppTest) -> str:
    return " ".join(element.value for element in (*app.markdown, *app.caption, *app.error))


def charts(app: AppTest) -> list:
    return app.get("plotly_chart")


def test_nothing_is_computed_until_a_view_is_chosen(monkeypatch):
    from dfcore import forensics

    monkeypatch.setattr(forensics, "compute", None)
    app = opened(png(picture()))
    assert "Choose one or more views" in words(app)
    assert not charts(app)


def test_every_view_tells_how_to_read_it_and_when_it_misleads():
    app = chosen(opened(png(picture())), *VIEWS)
    for kind in VIEWS.values():
        assert f"**{kind.title}**" in words(app)
    assert words(app).count("**When it misleads:**") == len(VIEWS)
    assert r"a\_\[b\]\(c\)\.png" in words(app)
    for control in (*app.slider, *app.selectbox):
        assert control.help


def test_a_setting_changes_the_view():
    app = chosen(opened(png(picture())), "error_level")
    app.slider(key="forensics_error_level_quality").set_value(70).run()
    assert not app.exception
    assert "at quality 70 changes" in words(app)


def test_a_file_that_is_no_picture_is_told():
    app = chosen(opened(b"no picture"), "error_level")
    assert "Not an image" in words(app)
    assert not charts(app)


def test_a_large_picture_can_be_looked_at_in_parts():
    data = png(np.zeros((1600, 2000, 3), np.uint8))
    app = chosen(opened(data), "bit_planes")
    app.session_state["forensics_part"] = "bottom_right"
    app.run()
    assert not app.exception
    assert r"1500 x 1500 pixels from \(496, 96\)" in words(app)


def test_a_view_is_computed_once_for_all_sessions(monkeypatch):
    from dfcore import forensics

    data = png(picture(50, 70))
    calls = []
    compute = forensics.compute

    def counted(key, *args, **named):
        calls.append(key)
        return compute(key, *args, **named)

    monkeypatch.setattr(forensics, "compute", counted)
    for _ in range(2):
        chosen(opened(data), "noise_residual")
    assert calls == ["noise_residual"]


def test_pictures_are_packed_once_until_something_changes(monkeypatch):
    from dfcore import figures

    packed, linked = [], figures.linked
    monkeypatch.setattr(figures, "linked", lambda shown, columns: packed.append(columns) or linked(shown, columns))
    app = chosen(opened(png(picture(40, 90))), "error_level")
    app.run()
    assert packed == [2]
    app.slider(key="forensics_error_level_quality").set_value(70).run()
    assert packed == [2, 2]
    app.session_state["forensics_columns"] = 1
    app.run()
    assert packed == [2, 2, 1] and not app.exception


# === Figures ===


def test_pictures_that_are_linked_share_axes_in_the_pixels_of_the_whole():
    rgb = picture(100, 200)
    figure = figures.linked([("a <b>", rgb, (0, 0, 200, 100)), ("c", rgb[10:60, 20:80], (20, 10, 60, 50))])
    whole, part = figure.data
    assert (whole.x0, whole.dx, whole.y0, whole.dy) == (0, 1, 0, 1)
    assert (part.x0, part.dx, part.y0, part.dy) == (20, 1, 10, 1)
    assert (figure.layout.xaxis2.matches, figure.layout.yaxis2.matches) == ("x", "y")
    assert figure.layout.yaxis.range[0] > figure.layout.yaxis.range[1]
    assert figure.layout.annotations[0].text == "a &lt;b&gt;"


@pytest.mark.parametrize("count", [1, 2, 3, 8])
@pytest.mark.parametrize("shape", [(1, 1), (1, 4000), (4000, 1), (300, 400)])
def test_linked_pictures_do_not_overlap(count, shape):
    rgb = np.zeros((*shape, 3), np.uint8)
    figure = figures.linked([("title", rgb, (0, 0, *shape[::-1]))] * count)
    places = []
    for number in range(count):
        name = "" if number == 0 else str(number + 1)
        x, y = figure.layout[f"xaxis{name}"].domain, figure.layout[f"yaxis{name}"].domain
        assert 0 <= x[0] < x[1] <= 1
        assert 0 <= y[0] < y[1] <= 1
        places.append((*x, *y))
    for one in places:
        for other in places:
            if one != other:
                assert one[1] <= other[0] or other[1] <= one[0] or one[3] <= other[2] or other[3] <= one[2]


def test_a_picture_drawn_reduced_still_covers_its_part():
    rgb = np.zeros((2001, 3001, 3), np.uint8)
    (trace,) = figures.linked([("large", rgb, (0, 0, 3001, 2001))]).data
    assert figures.reduced(rgb).size <= 3 * figures.MOST_SHOWN
    columns = figures.reduced(rgb).shape[1]
    assert trace.x0 - trace.dx / 2 == pytest.approx(-0.5)
    assert trace.x0 + (columns - 0.5) * trace.dx == pytest.approx(3000.5)


def test_curves_have_dashes_beside_colours_and_neither_blue_nor_orange():
    figure = figures.banded([("a", [0, 1], [0, 1]), ("b", [0, 1], [1, 0])], "x", "y", ("band", [0, 1], [0, 0], [1, 1]))
    *_, first, second = figure.data
    assert first.line.dash != second.line.dash
    assert not {first.line.color, second.line.color} & {figures.REAL_COLOUR, figures.FAKE_COLOUR}
