"""The make-believe city behind the taxi data: one batch of trips as NumPy columns.

Everything is a pure function of the seed, the month and the rows asked for. Money
and distance are whole hundredths (int64), exact until a writer formats them; a total
is therefore always the sum of its parts.
"""

from __future__ import annotations

import calendar
import csv
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .common import generator_for

Values = NDArray[Any]
Columns = dict[str, Values]

ZONES_FILE = Path(__file__).with_name("taxi_zones.csv")
DRAWS = 1 << 16  # a categorical draw is one 16-bit random number and a table look-up
SHUFFLE_ROWS = 20_000  # how far a trip may stand from its place in time order
JFK, LAGUARDIA, NEWARK, UNKNOWN, OUTSIDE = 132, 138, 1, 264, 265

# Percent of a day's pickups in each hour.
WEEKDAY = (
    *(1.6, 1.0, 0.6, 0.45, 0.45, 0.65, 1.7, 3.2, 4.2, 4.5, 4.7, 5.0),
    *(5.3, 5.4, 5.8, 5.9, 5.9, 6.6, 7.1, 6.5, 5.8, 5.6, 5.0, 3.4),
)
WEEKEND = (
    *(4.8, 4.2, 3.4, 2.3, 1.5, 0.7, 0.9, 1.3, 2.1, 3.2, 4.3, 5.0),
    *(5.4, 5.5, 5.5, 5.4, 5.4, 5.6, 5.9, 5.6, 5.0, 4.8, 4.9, 4.5),
)
# Miles an hour through the day.
SPEED = (
    *(15, 16, 17, 18, 19, 19, 16, 12, 10.5, 10, 10, 9.5),
    *(9.5, 9.5, 9, 9, 9, 9, 9.5, 10.5, 11.5, 12, 12.5, 13.5),
)

# Percent of pickups in the busiest zones; the others share what is left.
BUSY_PICKUPS = {
    132: 5.0, 237: 4.8, 161: 4.8, 236: 4.6, 162: 3.6, 186: 3.5, 142: 3.5, 230: 3.4, 138: 3.1,
    239: 2.9, 163: 2.8, 170: 2.7, 234: 2.6, 48: 2.6, 68: 2.5, 141: 2.4, 249: 2.3, 79: 2.3,
    164: 2.2, 107: 2.1, 140: 2.0, 263: 1.9, 238: 1.9, 262: 1.7, 229: 1.7, 100: 1.6, 246: 1.6,
    43: 1.5, 113: 1.5, 231: 1.4, 90: 1.4, 137: 1.3, 114: 1.3, 233: 1.2, 148: 1.1, 143: 1.1,
    50: 1.0, 151: 0.9, 158: 0.8, 144: 0.8, 211: 0.7, 87: 0.7, 13: 0.6, 264: 0.4, 75: 0.5,
    74: 0.4, 261: 0.4, 125: 0.4, 166: 0.3, 24: 0.3, 88: 0.3, 265: 0.05, 1: 0.01,
}  # fmt: skip
# People go home: airports fall and residential zones rise among the drop-offs.
DROPOFF_FACTORS = {132: 0.25, 138: 0.35, 264: 1.0, 265: 6.0, 1: 25.0, 236: 1.1, 239: 1.1}
OTHER_WEIGHTS = {"Manhattan": 6.0, "Brooklyn": 2.0, "Queens": 1.5, "Bronx": 0.5}

VENDORS = {1: 24.0, 2: 75.99, 6: 0.01}
PASSENGERS = {0: 1.1, 1: 76.0, 2: 14.5, 3: 3.3, 4: 2.2, 5: 1.4, 6: 1.0, 7: 0.01, 8: 0.01, 9: 0.01}
PAYMENTS = {1: 79.0, 2: 15.0, 0: 4.7, 3: 0.5, 4: 0.8}
RATE_CODES = {1: 98.1, 4: 0.2, 5: 0.6, 6: 0.01, 99: 1.0}
CARD_TIPS = {0: 5, 10: 3, 15: 8, 18: 7, 20: 47, 25: 14, 30: 6, -1: 10}  # percent; -1: whole dollars
TOLLS = {694: 90, 1388: 6, 1275: 4}

CHARGES = (
    *("fare_amount", "extra", "mta_tax"),
    *("tip_amount", "tolls_amount", "improvement_surcharge"),
)

# Impossible rows, as the real months have them. Shares of all trips.
ODD_SHARES = {
    "negative": 0.01,
    "standing": 0.01,
    "day_long": 0.0008,
    "backwards": 0.0005,
    "far": 0.0002,
    "stray": 0.00002,
}
STRAY_SECONDS = int(np.datetime64("2009-01-01T00:00:00").astype(np.int64))


class Month(NamedTuple):
    """One month of the calendar."""

    year: int
    month: int

    @property
    def days(self) -> int:
        """How many days the month has."""
        return calendar.monthrange(self.year, self.month)[1]

    @property
    def start(self) -> int:
        """Its first second, counted from 1970."""
        return int(np.datetime64(f"{self}-01T00:00:00").astype(np.int64))

    def later(self, months: int) -> Month:
        """Give the month that comes so many months later."""
        year, month = divmod(self.year * 12 + self.month - 1 + months, 12)
        return Month(year, month + 1)

    def __str__(self) -> str:
        """Write the month as YYYY-MM."""
        return f"{self.year:04d}-{self.month:02d}"


def _choices(weights: Mapping[int, float], dtype: str = "int64") -> Values:
    """Lay out values so that a 16-bit number picks each with its weight, at least once."""
    shares = np.array(list(weights.values()), dtype=float)
    counts = np.maximum(1, np.floor(shares / shares.sum() * DRAWS)).astype(int)
    counts[counts.argmax()] += DRAWS - counts.sum()
    return np.repeat(np.array(list(weights), dtype=dtype), counts)


def _pick(rng: np.random.Generator, table: Values, rows: int) -> Values:
    return table[rng.integers(0, DRAWS, rows, dtype=np.uint16)]


class _City(NamedTuple):
    pickups: Values
    dropoffs: Values
    in_manhattan: Values


@cache
def _city() -> _City:
    with ZONES_FILE.open(newline="", encoding="utf-8") as file:
        boroughs = {int(row["LocationID"]): row["Borough"] for row in csv.DictReader(file)}
    other = {zone: OTHER_WEIGHTS.get(name, 0.1) for zone, name in boroughs.items()}
    for zone in BUSY_PICKUPS:
        del other[zone]
    scale = (100 - sum(BUSY_PICKUPS.values())) / sum(other.values())
    pickups = {
        zone: BUSY_PICKUPS[zone] if zone in BUSY_PICKUPS else other[zone] * scale
        for zone in boroughs
    }
    # Away from the busy zones yellow cabs drop people off more than they pick up.
    dropoffs = {
        zone: share * DROPOFF_FACTORS.get(zone, 1.0 if zone in BUSY_PICKUPS else 2.5)
        for zone, share in pickups.items()
    }
    in_manhattan = np.zeros(max(boroughs) + 1, dtype=bool)
    in_manhattan[[zone for zone, name in boroughs.items() if name == "Manhattan"]] = True
    in_manhattan[UNKNOWN] = True
    return _City(_choices(pickups, "int32"), _choices(dropoffs, "int32"), in_manhattan)


@cache
def _pickup_clock(month: Month) -> tuple[Values, Values]:
    """Cumulative share of a month's pickups, and the second at which it is reached."""
    first = calendar.weekday(month.year, month.month, 1)
    hours = [WEEKEND if (first + day) % 7 > 4 else WEEKDAY for day in range(month.days)]
    shares = np.concatenate([[0.0], np.cumsum(np.concatenate(hours))])
    return shares / shares[-1], np.arange(len(shares)) * 3600.0


_TABLES: dict[str, Values] = {
    "vendor": _choices(VENDORS, "int32"),
    "passengers": _choices(PASSENGERS),
    "payment": _choices(PAYMENTS),
    "rate": _choices(RATE_CODES),
    "tip": _choices(CARD_TIPS),
    "toll": _choices(TOLLS),
}
_SPEED = np.array(SPEED, dtype=np.float32)


def trips(seed: int, month: Month, start: int, stop: int, total: int) -> Columns:
    """Invent the trips `start` to `stop` of a month that has `total` trips.

    Parameters
    ----------
    seed : int
        The user's seed.
    month : Month
        The month the trips are in.
    start, stop : int
        The rows wanted. The random stream depends on `start` alone, so a month
        must always be cut at the same places to give the same trips.
    total : int
        All trips of the month: rows follow time, so a row's place tells its date.

    Returns
    -------
    dict of str to numpy.ndarray
        The 17 columns in the order of the published files, times as whole seconds
        from 1970, money and miles as hundredths; and the mask ``missing`` of trips
        without passenger count, rate code and store-and-forward flag.

    Examples
    --------
    >>> columns = trips(seed=0, month=Month(2024, 1), start=0, stop=100, total=1000)
    >>> len(columns["PULocationID"])
    100
    """
    rows = stop - start
    rng = generator_for(seed, month.year * 12 + month.month, start)
    city = _city()
    odd = rng.random(rows)
    pickup = _pickup_seconds(rng, month, start, stop, total)
    hour = pickup // 3600 % 24
    weekday = (pickup // 86400 + 3) % 7 < 5  # 1970-01-01 was a Thursday
    pu, do = _pick(rng, city.pickups, rows), _pick(rng, city.dropoffs, rows)
    miles = _miles(rng, pu, do, city.in_manhattan)
    minutes = _minutes(rng, miles, hour)
    vendor = _pick(rng, _TABLES["vendor"], rows)
    payment = _pick(rng, _TABLES["payment"], rows)
    rate = _rate_codes(rng, pu, do, city.in_manhattan)

    distance = np.maximum(np.rint(miles * 100), 1).astype(np.int64)
    fare = _fares(rng, rate, miles, minutes)
    overnight = (hour >= 20) | (hour < 6)
    extra = np.where(overnight, 100, np.where(weekday & (hour >= 16) & (hour < 20), 250, 0))
    extra = extra + np.where((pu == LAGUARDIA) & (rate == 1), 500, 0)
    mta_tax = np.where((rate == 3) | (rate == 5), 0, 50)
    improvement = np.where(rng.random(rows, dtype=np.float32) < 0.02, 30, 100)
    tolls = _tolls(rng, pu, do)
    tip = _tips(rng, payment, fare + extra + mta_tax + improvement + tolls)
    dropoff = pickup + np.rint(minutes * 60).astype(np.int64)

    columns: Columns = {
        "VendorID": vendor,
        "tpep_pickup_datetime": pickup,
        "tpep_dropoff_datetime": dropoff,
        "passenger_count": _pick(rng, _TABLES["passengers"], rows),
        "trip_distance": distance,
        "RatecodeID": rate,
        "store_and_fwd_flag": rng.random(rows, dtype=np.float32) < 0.004,
        "PULocationID": pu,
        "DOLocationID": do,
        "payment_type": payment,
        "fare_amount": fare,
        "extra": extra,
        "mta_tax": mta_tax,
        "tip_amount": tip,
        "tolls_amount": tolls,
        "improvement_surcharge": improvement,
    }
    _spoil(rng, odd, columns)
    columns["total_amount"] = np.sum([columns[name] for name in CHARGES], axis=0)
    # Trips booked through an app carry payment type 0 and lack the meter's fields.
    columns["missing"] = columns["payment_type"] == 0
    return columns


def _pickup_seconds(
    rng: np.random.Generator, month: Month, start: int, stop: int, total: int
) -> Values:
    reach = min(SHUFFLE_ROWS, total / 10)
    place = (np.arange(start, stop) + rng.random(stop - start) * reach * 2 - reach) / total
    place = 1 - np.abs(1 - np.abs(place))  # reflected at both ends of the month
    shares, seconds = _pickup_clock(month)
    within = np.interp(place, shares, seconds).astype(np.int64)
    return np.minimum(within, month.days * 86400 - 1) + month.start


def _miles(
    rng: np.random.Generator,
    pu: Values,
    do: Values,
    in_manhattan: Values,
) -> Values:
    normal: Values = rng.standard_normal(len(pu), dtype=np.float32)
    local = in_manhattan[pu] & in_manhattan[do]
    miles = np.where(local, np.float32(1.6), np.float32(4.8)) * np.exp(normal * np.float32(0.6))
    for zone, mean, deviation in ((LAGUARDIA, 9.8, 2.2), (JFK, 17.2, 2.6), (NEWARK, 17.4, 2.0)):
        at = (pu == zone) | (do == zone)
        miles[at] = np.abs(mean + deviation * normal[at])
    same = pu == do
    miles[same] = np.float32(0.6) * np.exp(normal[same])
    return miles


def _minutes(rng: np.random.Generator, miles: Values, hour: Values) -> Values:
    normal = rng.standard_normal(len(miles), dtype=np.float32)
    # Long trips use the highways.
    speed = _SPEED[hour] * (1 + np.minimum(miles, np.float32(15)) / np.float32(12))
    return np.asarray(np.float32(1.5) + miles * 60 / speed * np.exp(normal / 4))


def _rate_codes(
    rng: np.random.Generator,
    pu: Values,
    do: Values,
    in_manhattan: Values,
) -> Values:
    rate = _pick(rng, _TABLES["rate"], len(pu))
    to_jfk = ((pu == JFK) & in_manhattan[do]) | (in_manhattan[pu] & (do == JFK))
    rate[to_jfk & (rate == 1)] = 2
    rate[(do == NEWARK) & (rate == 1)] = 3
    return rate


def _fares(
    rng: np.random.Generator,
    rate: Values,
    miles: Values,
    minutes: Values,
) -> Values:
    """Follow the meter: 3 dollars, then 70 cents a fifth of a mile or a slow minute."""
    units = np.floor(miles * np.float32(4.75) + minutes * np.float32(0.45)).astype(np.int64)
    fare = 300 + 70 * units
    fare[rate == 2] = 7000
    fare[rate == 3] += 2000
    negotiated = np.flatnonzero((rate == 5) | (rate == 6))
    fare[negotiated] = rng.integers(10, 160, len(negotiated)) * 100
    return fare


def _tolls(rng: np.random.Generator, pu: Values, do: Values) -> Values:
    chance = np.full(len(pu), 0.006, dtype=np.float32)
    for zone, share in ((LAGUARDIA, 0.45), (JFK, 0.35), (NEWARK, 0.9), (OUTSIDE, 0.4)):
        chance[(pu == zone) | (do == zone)] = share
    paid = rng.random(len(pu), dtype=np.float32) < chance
    return np.where(paid, _pick(rng, _TABLES["toll"], len(pu)), 0)


def _tips(rng: np.random.Generator, payment: Values, charged: Values) -> Values:
    """Only card tips are recorded; app trips tip now and then."""
    percent = _pick(rng, _TABLES["tip"], len(payment))
    tip = (charged * percent + 50) // 100
    dollars = np.flatnonzero(percent < 0)
    tip[dollars] = rng.integers(1, 9, len(dollars)) * 100
    app = payment == 0
    tip[app & (rng.random(len(payment), dtype=np.float32) < 0.7)] = 0
    tip[(payment != 1) & ~app] = 0
    return tip


def _spoil(rng: np.random.Generator, odd: Values, columns: Columns) -> None:
    """Turn the shares of `ODD_SHARES` into impossible rows, in place."""
    edges = np.cumsum(list(ODD_SHARES.values()))
    kinds = np.searchsorted(edges, odd, side="right")
    which = {name: np.flatnonzero(kinds == kind) for kind, name in enumerate(ODD_SHARES)}
    pickup, dropoff = columns["tpep_pickup_datetime"], columns["tpep_dropoff_datetime"]

    rows = which["negative"]  # refunds and disputes
    columns["tip_amount"][rows] = 0
    for name in CHARGES:
        columns[name][rows] *= -1
    columns["payment_type"][rows] = rng.integers(3, 5, len(rows))
    columns["trip_distance"][which["standing"]] = 0
    rows = which["day_long"]
    dropoff[rows] = pickup[rows] + 86400 - rng.integers(1, 600, len(rows))
    rows = which["backwards"]
    dropoff[rows] = pickup[rows] - rng.integers(1, 3600, len(rows))
    rows = which["far"]
    columns["trip_distance"][rows] = rng.integers(1_000_000, 30_000_000, len(rows))
    rows = which["stray"]  # a meter whose clock was reset
    length = dropoff[rows] - pickup[rows]
    pickup[rows] = STRAY_SECONDS + rng.integers(0, 86400, len(rows))
    dropoff[rows] = pickup[rows] + length
