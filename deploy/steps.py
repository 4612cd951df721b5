"""Takes the steps of the Containerfile in a clean folder, where no builder of images exists, and tries what comes out.

Each stage is an overlay over this machine's own system, with this Python in /usr/local as in the base image; /home,
/root, /tmp and the checkout are hidden. So steps run as they stand in the Containerfile, and none changes this machine.
What that does not show: the base image itself, and that a builder reads the file in the same way (hadolint does).

    sudo python deploy/steps.py --target service --into /var/tmp/steps

With --try the image is then started as compose.yaml starts it (read-only, without rights, as its own account), asked by
its own health check, given a picture, and told to stop. Needs Linux, root, and util-linux.
"""

import argparse
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
# What is hidden; with the folder at the top that holds the checkout, unless the system lives there.
_HIDDEN = {"home", "root", "tmp", "src", "spool", "keys", "workspace", "mnt", "media", ROOT.parts[1]} - {"usr", "var"}
# Variables of this machine without which pip may not reach a registry.
_PASSED = re.compile(r"(PIP|SSL|UV|REQUESTS)_\w+|\w+_proxy", re.IGNORECASE)
_VOLUMES = ("workspace", "spool", "keys")
_PATIENCE = 300
_PATH = "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
_CHROOT = shutil.which("chroot", path=_PATH) or "chroot"


@dataclass
class Stage:
    """A stage of the Containerfile.

    Attributes:
        name: Its name.
        base: The stage that it begins with; "" for the base image.
        steps: Its instructions, (name, arguments).
    """

    name: str
    base: str
    steps: list[tuple[str, str]] = field(default_factory=list)


@dataclass
class Image:
    """What the instructions of a stage and its bases have come to."""

    root: Path
    layer: Path
    environment: dict[str, str] = field(default_factory=lambda: {"PATH": _PATH})
    folder: str = "/"
    user: str = "0:0"
    entrypoint: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)
    health: list[str] = field(default_factory=list)


def read(containerfile: Path) -> dict[str, Stage]:
    """The stages of a Containerfile, in their order."""
    text = re.sub(r"^\s*#.*\n", "", containerfile.read_text(encoding="utf-8"), flags=re.MULTILINE)
    stages: dict[str, Stage] = {}
    for line in re.sub(r"\\\n\s*", " ", text).splitlines():
        name, _, arguments = line.strip().partition(" ")
        if name == "FROM":
            base, _, title = arguments.partition(" AS ")
            stage = stages[title] = Stage(title, base if base in stages else "")
        elif name and name != "ARG":
            stage.steps.append((name, arguments))
    return stages


def context(root: Path, into: Path) -> None:
    """Copies what a builder would be given: files that git knows or would take, less those of `.dockerignore`."""
    command = ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, capture_output=True, check=True).stdout.decode().split("\0")
    rules = [
        (line.removeprefix("!"), not line.startswith("!"))
        for line in (root / ".dockerignore").read_text(encoding="utf-8").splitlines()
        if line and not line.startswith("#")
    ]
    for name in filter(None, listed):
        path, left_out = PurePosixPath(name), False
        for pattern, leaves_out in rules:
            if any(part.match(pattern) for part in (path, *path.parents)):
                left_out = leaves_out
        if not left_out and (root / name).is_file():
            (into / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, into / name)


class Builder:
    """Takes the steps of stages, each once."""

    def __init__(self, containerfile: Path, root: Path, into: Path):
        self._stages, self._into, self._built = read(containerfile), into, dict[str, Image]()
        self._context = into / "context"
        self._context.mkdir()
        context(root, self._context)

    def build(self, name: str) -> Image:
        """The image of a stage."""
        if name not in self._built:
            stage = self._stages[name]
            image = self._start(stage)
            for instruction, arguments in stage.steps:
                print(f"[{name}] {instruction} {arguments}"[:160], flush=True)
                self._step(image, instruction, arguments)
            self._built[name] = image
        return self._built[name]

    def _start(self, stage: Stage) -> Image:
        before = self.build(stage.base) if stage.base else None
        layer, work, root = (self._into / stage.name / part for part in ("layer", "work", "root"))
        for folder in (layer, work, root):
            folder.mkdir(parents=True)
        if before:  # A copy: overlays do not take a layer that lies in another one, and all lie in "/".
            subprocess.run(["cp", "--archive", f"{before.layer}/.", str(layer)], check=True)
        for name in _HIDDEN if not before else ():
            # Opaque: what this machine has there is not seen.
            (layer / name).mkdir()
            os.setxattr(layer / name, "trusted.overlay.opaque", b"y")
        (layer / "tmp").chmod(0o1777)
        mount("-t", "overlay", "overlay", "-o", f"lowerdir=/,upperdir={layer},workdir={work}", str(root))
        image = Image(root, layer)
        if before:
            image.environment = dict(before.environment)
            image.folder, image.user, image.entrypoint = before.folder, before.user, before.entrypoint
        furnish(root)
        return image

    def _step(self, image: Image, instruction: str, arguments: str) -> None:
        match instruction:
            case "RUN":
                inside(image, ["sh", "-c", arguments], {**passed(), **image.environment})
            case "COPY":
                self._copy(image, shlex.split(arguments))
            case "ENV":
                for word in shlex.split(arguments):
                    name, _, value = word.partition("=")
                    image.environment[name] = value
            case "WORKDIR":
                image.folder = arguments
                (image.root / arguments.lstrip("/")).mkdir(parents=True, exist_ok=True)
            case "USER":
                image.user = arguments
            case "ENTRYPOINT":
                image.entrypoint = json.loads(arguments)
            case "CMD":
                image.command = json.loads(arguments)
            case "HEALTHCHECK":
                image.health = json.loads(arguments.partition("CMD ")[2])
            case "EXPOSE" | "STOPSIGNAL":
                pass
            case _:
                raise SystemExit(f"This script does not know the instruction {instruction}.")

    def _copy(self, image: Image, words: list[str]) -> None:
        source = self._context
        if words[0].startswith("--from="):
            source = self.build(words.pop(0).partition("=")[2]).root
        *names, target = words
        into = image.root / os.path.join(image.folder, target).lstrip("/")
        for name in names:
            found = source / name.lstrip("/")
            if found.is_dir():
                shutil.copytree(found, into, symlinks=True, dirs_exist_ok=True)
            else:
                place = into / found.name if target.endswith("/") else into
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(found, place)


def mount(*arguments: str) -> None:
    """Mounts, in this process's own view of the file system."""
    subprocess.run(["mount", *arguments], check=True)


def furnish(root: Path) -> None:
    """What a container has beside its files: Python where the base image has it, and the kernel's folders."""
    python = Path(sys.base_prefix)
    if python != Path("/usr/local"):  # Else it is there already.
        mount("-t", "overlay", "overlay", "-o", f"lowerdir={python}:/usr/local", str(root / "usr/local"))
        if not (own := root / python.relative_to("/") / "lib").is_dir():
            own.mkdir(parents=True)
        # Its libraries are looked for where they were built for.
        mount("--bind", str(python / "lib"), str(own))
    for name in ("proc", "dev", "sys"):
        mount("--rbind", f"/{name}", str(root / name))


def passed() -> dict[str, str]:
    """What this machine says of its registries."""
    return {name: value for name, value in os.environ.items() if _PASSED.fullmatch(name)}


def inside(image: Image, command: list[str], environment: dict[str, str]) -> None:
    """Runs a command in an image, as root, as a builder does."""
    words = [_CHROOT, str(image.root), "env", "-C", image.folder, *command]
    subprocess.run(words, env=environment, check=True)


class Trial:
    """An image as compose.yaml runs it: read-only, without rights, with its folders."""

    def __init__(self, image: Image, into: Path):
        self._image = image
        for name in _VOLUMES:
            folder = into / "volumes" / name
            folder.mkdir(parents=True)
            os.chown(folder, *map(int, image.user.split(":")))
        mount("--bind", str(image.root), str(image.root))
        mount("-o", "remount,bind,ro", str(image.root))
        mount("-t", "tmpfs", "-o", "size=256m,mode=1777,noexec,nosuid,nodev", "tmpfs", str(image.root / "tmp"))
        for name in _VOLUMES:
            mount("--bind", str(into / "volumes" / name), str(image.root / name))
        furnish(image.root)

    def start(self, command: list[str], **options: Any) -> "subprocess.Popen[Any]":
        """Starts a command as the image's account, with no capability and no way to get one."""
        user, group = self._image.user.split(":")
        rights = ["--reuid", user, "--regid", group, "--clear-groups", "--no-new-privs"]
        rights += ["--bounding-set=-all", "--inh-caps=-all"]
        words = [_CHROOT, str(self._image.root), "setpriv", *rights, "env", "-C", self._image.folder, *command]
        return subprocess.Popen(words, env=self._image.environment, **options)

    def output(self, command: list[str]) -> tuple[int, str]:
        """Exit code and output of a command."""
        process = self.start(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        text = process.communicate(timeout=_PATIENCE)[0]
        return process.returncode, text


def attempt(image: Image, target: str, into: Path) -> Iterator[str]:
    """Starts an image, asks it, and stops it; tells each thing that holds.

    Raises:
        SystemExit: If one does not.
    """
    trial = Trial(image, into)
    require(trial.output(["touch", "/opt/written"])[0] != 0, "the root file system can be written to")
    yield "the root file system is read-only"
    if target == "service":
        code, text = trial.output([*image.entrypoint, *image.command])
        require(code != 0 and "key" in text, f"the service starts without keys: {code} {text}")
        yield f"without keys it refuses to start: {text.strip().splitlines()[-1][:150]}"
        code, text = trial.output([*image.entrypoint, "serve", "keys", "add", "trial"])
        require(code == 0, text)
        key = text.split()[-1]
    process = trial.start([*image.entrypoint, *image.command])
    try:
        began = time.monotonic()
        while (answer := trial.output(image.health))[0]:
            require(process.poll() is None, "it ended by itself")
            require(time.monotonic() - began < _PATIENCE, f"its health check says no: {answer[1]}")
            time.sleep(0.5)
        yield f"its health check is content after {time.monotonic() - began:.0f} s: {answer[1].strip()}"
        status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
        state = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        require(state["Uid"].split() == ["10001"] * 4 and int(state["CapBnd"], 16) == 0, status)
        yield "it runs as account 10001 with no capability, nor a way to one"
        if target == "service":
            yield from judged(key)
    finally:
        process.send_signal(signal.SIGTERM)
        code = process.wait(120)
    # Streamlit ends at once and says by which signal.
    require(code in ((0,) if target == "service" else (0, 143, -signal.SIGTERM)), f"told to stop, it ended with {code}")
    yield f"told to stop, it ended with {code}"


def judged(key: str) -> Iterator[str]:
    """A picture goes through the service, once its detectors are there."""
    picture = next((ROOT / "docs" / "screenshots").glob("*.png")).read_bytes()
    address, headers = "http://127.0.0.1:8600/", {"X-API-Key": key, "Content-Type": "image/png"}
    began = time.monotonic()
    while True:
        request = urllib.request.Request(f"{address}v1/predict?name=picture.png", picture, headers)
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                row = json.load(answer)["results"][0]
                break
        except urllib.error.HTTPError as error:
            require(error.code == 503 and time.monotonic() - began < _PATIENCE, error.read().decode())
            time.sleep(1)
    yield f"it judged a picture: {row['words']}, score {row['score']:.4f}, by {row['detector']}"
    with urllib.request.urlopen(address, timeout=30) as page:
        require(b"<h1>" in page.read(), "there is no page")
    yield "its page is there"


def require(holds: bool, otherwise: str) -> None:
    """Ends the script where something does not hold."""
    if not holds:
        raise SystemExit(f"FAILED: {otherwise}")


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--target", choices=("service", "dashboard"), default="service")
    parser.add_argument("--into", type=Path, required=True, metavar="FOLDER", help="an empty or new folder")
    parser.add_argument("--try", dest="trial", action="store_true", help="start what was built, ask it, stop it")
    options = parser.parse_args()
    if sys.platform != "linux" or os.geteuid() != 0:
        parser.error("it needs Linux and root, for mounts that only it sees.")
    if os.environ.get("DFCORE_STEPS") != "inside":
        # Mounts end with this process, and nothing outside of it sees them.
        words = ["unshare", "--mount", "--propagation", "private", sys.executable, *sys.argv]
        os.execvpe(words[0], words, {**os.environ, "DFCORE_STEPS": "inside"})
    options.into.mkdir(parents=True, exist_ok=True)
    if any(options.into.iterdir()):
        parser.error(f"expected an empty folder. Received: {options.into}")
    into = options.into.resolve()
    began = time.monotonic()
    image = Builder(Path(__file__).with_name("Containerfile"), ROOT, into).build(options.target)
    print(f"The steps of {options.target} are taken: {time.monotonic() - began:.0f} s.")
    for line in attempt(image, options.target, into) if options.trial else ():
        print(f"  {line}", flush=True)


if __name__ == "__main__":
    main()
