"""Reports from Inspect: made when a button is pressed, by whoever may judge."""

from dashboard import report_buttons, roles
from tests.unit.test_pages import filled, finished, library, open_below, open_page, sized, upload, words, workspace

__all__ = ["filled", "finished", "library", "workspace"]  # Fixtures.


def test_reports_are_made_only_when_asked_for_and_hold_the_settings_in_use(library, monkeypatch):
    offered: dict = {}
    made: list[str] = []
    content, really = report_buttons._content, report_buttons._made
    monkeypatch.setattr(
        report_buttons, "_content", lambda wanted, suffix: offered.setdefault(suffix, content(wanted, suffix))
    )
    monkeypatch.setattr(report_buttons, "_made", lambda wanted, suffix: made.append(suffix) or really(wanted, suffix))
    app = upload(open_page("inspect"), sized(300))
    assert not offered
    app.toggle(key="inspect_ignore_ood").set_value(True).run()
    open_below(app, "Details")
    app.run()
    assert set(offered) == {".html", ".pdf"} and not made
    page = offered[".html"]().decode()
    assert made == [".html"] and "How to repeat it" in page and "--ignore-ood --json" in page
    assert "0.png" in page and "local user" in page and page.count("<img") == 3
    assert offered[".pdf"]().startswith(b"%PDF-")


def test_viewers_are_offered_no_report(filled, monkeypatch):
    monkeypatch.setattr(roles, "current", lambda: roles.Role.VIEWER)
    app = open_page("inspect")
    assert "role" in words(app)
    drawn: list = []
    monkeypatch.setattr(report_buttons.st, "download_button", lambda *args, **options: drawn.append(args))
    report_buttons.show([], None, None)
    assert not drawn
