"""Asks an address inside the container, for its health check: ends with 0 if it answers well, with 1 if not."""

import sys
import urllib.request

SECONDS = 5

if __name__ == "__main__":
    # No proxy of the environment: the question is whether this container answers.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(sys.argv[1], timeout=SECONDS) as answer:
            print(answer.read(200).decode(errors="replace"))
    except OSError as error:
        sys.exit(f"{sys.argv[1]}: {error}")
