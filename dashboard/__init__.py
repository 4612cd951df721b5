"""What the pages share: cached access to runs and detectors, and small widgets."""

from dashboard.navigation import use_front_door

# On the first import, which may come from a page that was opened past the front door.
use_front_door()
