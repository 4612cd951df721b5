"""Messages of the library in the words of the pages: what it calls a command's option is a control here."""

import re

# Titles of the controls of `mapping_form`, by the option that says the same on the command line.
COLUMNS = {"path": "Image file", "label": "Class", "split": "Split", "group": "Group", "source": "Source",
           "film": "Film"}  # fmt: skip
MEANS = {"real": "Means real", "fake": "Means fake"}
GROUPS, APART = "Images that belong together", "Nothing but copies"
DIFFERENTLY = "Read it differently"
FOLDER_NAME = "Name of its folder"
# Those of other forms.
KEEP, INPUT_SIDE, PRECISION, ROUNDED = "Keep the picture", "Side of its input in pixels", "Precision", "8 bits"
DATA_OF_DETECTOR = "Data set that it was trained on"
STARTING_WEIGHTS, SCRATCH = "Weights to start from", "None: train from scratch"
# Those of publishing a detector.
LICENCE, SCORES, WITH, WITHOUT = "Licence", "Scores of its images", "with", "without"
WHO_SEES, EVERYBODY = "Who sees it", "Everybody"
# That of a run which was deleted on the tracking server.
SEND_ANEW = "Send as a new run"
# A value ends where its sentence does; it may hold spaces, commas and dots.
_OPTION = re.compile(
    r"--(?P<columns>columns) (?P<pairs>\w+=(?:…|[A-Z]+)(?:,\w+=(?:…|[A-Z]+))*)"
    r"|--(?:labels|class-folders) real=(?P<real>.*?),fake=(?P<fake>.*?)"
    r"(?=(?:\.+|,)?(?: or | and | for | \(|\. |$))"
    r"|--groups none"
    r"|(?P<name>--name)\b"
    r"|--license\b(?: (?P<licence>[a-z][a-z0-9.+-]*[a-z0-9+])(?= keeps it|,))?"
    r"|--(?P<scores>with|without)-predictions"
    r"|(?P<public>--public)\b"
    r"|(?P<anew>\(dfcore runs mirror \S+ --anew\))",
    re.MULTILINE,
)
# Advice for the command line that names no single control here.
_ADVICE = {
    "Name the folders where they are with --pictures.": f"Open them in Inspect and choose “{KEEP}” there.",
    "Finish it with the same detectors and settings, delete it, or give another --out.": "Begin a new batch.",
    "Install the package that brings it, or name its file with --arch-file.":
        "Whoever runs the server can install the package that brings it.",
    "an installed package or by the file that --arch-file names": "a package that is installed on the server",
    "Give it with --from FOLDER.": "Then register its folder under “Add”.",
    "(--size)": f"(“{INPUT_SIDE}”)",
    "Expected --data-root ROOT.": f"Expected “{DATA_OF_DETECTOR}”.",
    "--quantize int8": f"“{PRECISION}”: {ROUNDED}",
    "--quantize": f"“{PRECISION}”",
    "train with --weights none": f"train with “{STARTING_WEIGHTS}”: {SCRATCH}",
}  # fmt: skip


def page_words(message: object) -> str:
    """A message in which the options of the command line are replaced by the controls of the pages.

    Example:
        >>> page_words("say which with --columns label=COLUMN")
        'say which with the list “Class”'
    """
    text = str(message)
    for said, here in _ADVICE.items():
        text = text.replace(said, here)
    return _OPTION.sub(_control, text)


def setting_words(problem: str) -> str:
    """A problem of a training run's settings, which are named as on Train.

    Example:
        >>> setting_words("first_block: expected at most last_block, 8. Received: 9")
        '“First block”: expected at most “Last block”, 8. Received: 9'
    """
    from dfcore.training.config import form_fields

    labels = {name: field.label for name, field in form_fields().items() if not field.hidden}
    said, *received = problem.split(". Received: ", 1)
    begins = re.match(r"\w+(?=:)", said)
    named = [*([begins[0]] if begins else []), *re.findall(r"\b[a-z]+_[a-z_]+\b", said)]
    for name in set(named) & set(labels):
        said = re.sub(rf"\b{name}\b", f"“{labels[name]}”", said, count=0 if "_" in name else 1)
    return ". Received: ".join([said, *received])


def _control(option: re.Match[str]) -> str:
    if option["columns"]:
        names = [f"“{COLUMNS[pair.partition('=')[0]]}”" for pair in option["pairs"].split(",")]
        return f"the {'list' if len(names) == 1 else 'lists'} {' and '.join(names)}"
    if option["name"]:
        return f"“{FOLDER_NAME}”"
    if option["anew"]:
        return f"(“{SEND_ANEW}”)"
    if option["public"]:
        return f"“{WHO_SEES}”: {EVERYBODY}"
    if option["scores"]:
        return f"“{SCORES}”: {WITH if option['scores'] == 'with' else WITHOUT}"
    if option[0].startswith("--license"):
        return f"“{LICENCE}”" + (f" {option['licence']}" if option["licence"] else "")
    if option["real"] is None:
        return f"“{GROUPS}”: {APART}"
    said = [(MEANS[name], option[name]) for name in MEANS]
    return " and ".join(f"“{title}”" if value == "…" else f"“{title}” {value}" for title, value in said)
