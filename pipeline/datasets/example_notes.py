"""Makes the example table of the guide for one's own data: simulated notes of a sequencing lab.

`python -m pipeline.datasets.example_notes` writes configs/examples/own_data.csv. No note is real.
"""

import csv
import datetime
import random
from pathlib import Path

TABLE = Path("configs/examples/own_data.csv")
COLUMNS = ["note_id", "written_on", "bench", "note", "cause"]
_ROWS = 300
_SEED = 11

_CAUSES = {
    "sample": (
        "the tube arrived thawed",
        "haemolysis was visible, the plasma was pink",
        "the barcode did not match the request form",
        "only 40 µl of serum were left",
        "the biopsy had dried out on the way",
        'the label read "unknown donor"',
        "the RNA was degraded before we opened the kit (RIN 2.1)",
        "two donors seem to be mixed in one vial",
    ),
    "reagent": (
        "the polymerase had passed its expiry date",
        "the new lot of antibody gave no band with the positive control",
        "the buffer was cloudy, pH 6.1 instead of 7.4",
        "the primers were diluted tenfold too much",
        "the master mix had been thawed five times",
        "the no-template control amplified; the water is contaminated",
        "the beads had settled and were pipetted unmixed",
        "the enzyme was left on the bench over the weekend",
    ),
    "instrument": (
        "the centrifuge stopped with error E07",
        "the laser power dropped by a third during the run",
        "the thermocycler's lid did not heat",
        "the pipetting arm lost its position on column 3",
        "a bubble in the flow cell blocked two lanes",
        "the freezer's alarm log shows -52 °C for six hours",
        "the balance drifted and failed calibration",
        "the camera of the gel imager is out of focus",
    ),
}
_SYMPTOMS = (
    "Low yield, again",
    "No signal in wells A1, A2 and B7",
    "Duplicates disagree by more than 20 %",
    "The curve is flat",
    "Run aborted after 2 h",
    "Coverage below 10x",
    "Background too high, control included",
    "Result withheld",
)
_ASIDES = (
    "Sample, reagent and instrument log are attached.",
    "Told the night shift.",
    "Repeated once, same picture.",
    "At first we blamed the buffer, wrongly.",
    "At first we blamed the thermocycler, wrongly.",
    "At first we blamed the tube, wrongly.",
    "Please advise.",
)
_FORMS = (
    "{symptom}. Looking back, {cause}.",
    "{symptom}: {cause}. {aside}",
    "{Cause}.\nSeen as: {symptom}",
    "{symptom}\n{aside}\nIt turned out that {cause}.",
    "{aside} {Cause}, hence: {symptom}.",
)


def example_notes() -> list[list[str]]:
    """Rows under `COLUMNS`, the same each time; a note may hold commas, quotes and newlines."""
    draw = random.Random(_SEED)
    rows = []
    for number in range(_ROWS):
        cause = draw.choice(sorted(_CAUSES))
        reason = draw.choice(_CAUSES[cause])
        note = draw.choice(_FORMS).format(
            symptom=draw.choice(_SYMPTOMS),
            cause=reason,
            Cause=reason[0].upper() + reason[1:],
            aside=draw.choice(_ASIDES),
        )
        day = datetime.date(2024, 1, 8) + datetime.timedelta(days=number)
        rows.append([f"N{number:04d}", str(day), draw.choice(["north", "south"]), note, cause])
    return rows


def main() -> None:
    """Writes the table into the current folder's configs/examples/."""
    TABLE.parent.mkdir(parents=True, exist_ok=True)
    new = TABLE.with_name(TABLE.name + ".new")
    with new.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([COLUMNS, *example_notes()])
    new.replace(TABLE)
    print(f"{TABLE}: {_ROWS} simulated notes")


if __name__ == "__main__":
    main()
