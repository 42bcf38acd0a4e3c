"""The simulation as a picture: resumptions and hosts, through the days."""

from simulation.tally import BUCKET_SECONDS, Tally
from soaking.plot import panels_as_svg

_HOUR = 3600


def as_svg(tallies: dict[str, Tally]) -> str:
    """Return the picture: of each source, the resumptions that failed, and how many hosts there were."""
    panels: dict[str, list[tuple[float, float]]] = {}
    end = 0.0
    for source, tally in tallies.items():
        name = f"{source}: resumptions that failed, of 1,000 that the rules allow"
        panels[name] = [
            ((bucket + 1) * BUCKET_SECONDS, 1000 * (1 - tally.resumed[bucket] / count))
            for bucket, count in sorted(tally.allowed.items())
        ]
        for figure in ("hosts awake", "hosts in order"):
            panels[f"{source}: {figure}"] = [(time, figures[figure]) for time, figures in tally.samples[::30]]
        end = max(end, tally.samples[-1][0])
    return panels_as_svg(panels, end, f"{end / _HOUR:.0f} h")
