"""The example fact files hold the facts that examples/README.md says they hold.

The files are read with the csv module alone, so that no reader of this project can hide a fault in them.
"""

import csv
import re
import unicodedata
from collections import Counter, defaultdict
from itertools import pairwise
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
FILES = ("elements.csv", "capitals.csv", "chains.csv")

# The periodic table by periods, written down apart from the file.
PERIODIC_TABLE = """
    H He
    Li Be B C N O F Ne
    Na Mg Al Si P S Cl Ar
    K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr
    Rb Sr Y Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe
    Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu Hf Ta W Re Os Ir Pt Au Hg Tl Pb Bi Po At Rn
    Fr Ra Ac Th Pa U Np Pu Am Cm Bk Cf Es Fm Md No Lr Rf Db Sg Bh Hs Mt Ds Rg Cn Nh Fl Mc Lv Ts Og
"""

# Symbols that come from another name than the English one.
FOREIGN_SYMBOLS = {
    "Sodium": "Na",
    "Potassium": "K",
    "Iron": "Fe",
    "Copper": "Cu",
    "Silver": "Ag",
    "Tin": "Sn",
    "Antimony": "Sb",
    "Tungsten": "W",
    "Gold": "Au",
    "Mercury": "Hg",
    "Lead": "Pb",
}

SEVERAL_CAPITALS = {
    "Benin": {"Porto-Novo", "Cotonou"},
    "Bolivia": {"Sucre", "La Paz"},
    "Côte d'Ivoire": {"Yamoussoukro", "Abidjan"},
    "Eswatini": {"Mbabane", "Lobamba"},
    "Malaysia": {"Kuala Lumpur", "Putrajaya"},
    "Montenegro": {"Podgorica", "Cetinje"},
    "Netherlands": {"Amsterdam", "The Hague"},
    "Palestine": {"East Jerusalem", "Ramallah"},
    "South Africa": {"Pretoria", "Cape Town", "Bloemfontein"},
    "Sri Lanka": {"Sri Jayawardenepura Kotte", "Colombo"},
}

OWN_CAPITAL = {"Djibouti", "Luxembourg", "Monaco", "San Marino", "Singapore", "Vatican City"}

# One capital each: names from A to Z, those with accents, and those that are often mistaken.
ONE_CAPITAL_TEXT = """
    Andorra: Andorra la Vella; Australia: Canberra; Brazil: Brasília; Burundi: Gitega; Cameroon: Yaoundé
    Canada: Ottawa; Chad: N'Djamena; Chile: Santiago; Colombia: Bogotá; Costa Rica: San José
    Democratic Republic of the Congo: Kinshasa; Equatorial Guinea: Ciudad de la Paz; Fiji: Suva
    Guatemala: Guatemala City; Honduras: Tegucigalpa; Iceland: Reykjavík; Japan: Tokyo; Kazakhstan: Astana
    Kuwait: Kuwait City; Latvia: Riga; Maldives: Malé; Mexico: Mexico City; Moldova: Chișinău
    Myanmar: Naypyidaw; New Zealand: Wellington; Nigeria: Abuja; Oman: Muscat; Panama: Panama City
    Paraguay: Asunción; Qatar: Doha; Republic of the Congo: Brazzaville; Rwanda: Kigali
    São Tomé and Príncipe: São Tomé; Switzerland: Bern; Tanzania: Dodoma; Togo: Lomé; Tonga: Nukuʻalofa
    Türkiye: Ankara; United States: Washington, D.C.; Vietnam: Hanoi; Yemen: Sana'a; Zimbabwe: Harare
"""
ONE_CAPITAL = dict(
    pair.split(": ") for line in ONE_CAPITAL_TEXT.strip().splitlines() for pair in line.strip().split("; ")
)

CONTINENTS = {"Africa", "Asia", "Europe", "North America", "Oceania", "South America"}
STRADDLES_TWO_CONTINENTS = {"Azerbaijan", "Egypt", "Indonesia", "Kazakhstan", "Russia", "Türkiye"}


def read_rows(name: str) -> list[dict[str, str]]:
    """The rows of one example file, each a dictionary keyed by the header."""
    with (EXAMPLES / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))


def without_accents(text: str) -> str:
    """The sort key of a name: its letters without accents or case."""
    return "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c)).casefold()


def assert_spread_over_the_file(directions: list[str]) -> None:
    """Every quarter of the rows must hold facts trained in each of the three ways."""
    quarter = len(directions) // 4
    for start in range(0, 4 * quarter, quarter):
        assert set(directions[start : start + quarter]) == {"forward", "backward", "both"}


# -- every file ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", FILES)
def test_text_is_plain(name: str) -> None:
    """Each file is UTF-8 in composed form with LF line ends, and has no byte order mark or stray space."""
    text = (EXAMPLES / name).read_bytes().decode("utf-8")
    assert not text.startswith("\ufeff")
    assert text == unicodedata.normalize("NFC", text)
    assert "\r" not in text
    assert text.endswith("\n")
    lines = text.removesuffix("\n").split("\n")
    assert all(line and line == line.strip() for line in lines)
    cells = [cell for row in csv.reader(lines, strict=True) for cell in row]
    assert all(cell and cell == " ".join(cell.split()) for cell in cells)


@pytest.mark.parametrize("name", FILES)
def test_header_and_rows_agree(name: str) -> None:
    """The header is subject, relation, object and, but for the chains, direction; rows have as many cells."""
    with (EXAMPLES / name).open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file, strict=True)
    assert header == ["subject", "relation", "object", "direction"][: 3 if name == "chains.csv" else 4]
    assert {len(row) for row in rows} == {len(header)}


@pytest.mark.parametrize("name", FILES)
def test_no_fact_is_stated_twice(name: str) -> None:
    """No (subject, relation, object) occurs in two rows of one file."""
    stated = Counter((r["subject"], r["relation"], r["object"]) for r in read_rows(name))
    assert stated.most_common(1)[0][1] == 1


@pytest.mark.parametrize("name", FILES)
def test_readme_counts_the_rows(name: str) -> None:
    """README.md counts the facts and each direction as the file has them, and no other direction occurs."""
    directions = Counter(r.get("direction", "forward") for r in read_rows(name))
    assert set(directions) <= {"forward", "backward", "both"}
    table_row = re.search(
        rf"^\| `{re.escape(name)}` \| (\d+) \| (\d+) \| (\d+) \| (\d+) \|",
        (EXAMPLES / "README.md").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    assert table_row is not None
    counts = [directions.total(), directions["forward"], directions["backward"], directions["both"]]
    assert [int(cell) for cell in table_row.groups()] == counts


# -- elements ------------------------------------------------------------------------------------------------
def test_elements_stand_in_the_order_of_the_periodic_table() -> None:
    """The 118 symbols are those of the periodic table in the order of the atomic number."""
    rows = read_rows("elements.csv")
    assert len(rows) == 118
    assert {r["relation"] for r in rows} == {"symbol"}
    assert [r["object"] for r in rows] == PERIODIC_TABLE.split()


def test_elements_are_one_to_one() -> None:
    """No two elements share a name or a symbol, and no name is also a symbol."""
    rows = read_rows("elements.csv")
    names, symbols = {r["subject"] for r in rows}, {r["object"] for r in rows}
    assert len(names) == len(symbols) == 118
    assert names.isdisjoint(symbols)


def test_symbols_belong_to_their_names() -> None:
    """But for eleven, a symbol is the first letter of its element's name and at most one later letter."""
    foreign = {}
    for row in read_rows("elements.csv"):
        name, symbol = row["subject"], row["object"]
        assert re.fullmatch("[A-Z][a-z]+", name)
        assert re.fullmatch("[A-Z][a-z]?", symbol)
        if name[0] != symbol[0] or symbol[1:] not in name[1:]:
            foreign[name] = symbol
    assert foreign == FOREIGN_SYMBOLS


def test_element_names_are_those_of_iupac() -> None:
    """Thirteen names, Aluminium, Caesium and Sulfur among them, are spelt as by IUPAC and in their place."""
    names = [r["subject"] for r in read_rows("elements.csv")]
    number = {name: z for z, name in enumerate(names, 1)}
    expected = {
        "Hydrogen": 1,
        "Carbon": 6,
        "Aluminium": 13,
        "Sulfur": 16,
        "Cobalt": 27,
        "Zirconium": 40,
        "Caesium": 55,
    }
    expected |= {
        "Terbium": 65,
        "Thulium": 69,
        "Thorium": 90,
        "Plutonium": 94,
        "Nihonium": 113,
        "Oganesson": 118,
    }
    assert {name: number.get(name) for name in expected} == expected


def test_elements_are_trained_in_every_direction() -> None:
    """Of the elements 94 are trained both ways, 14 forward and 10 backward, some in every quarter."""
    directions = [r["direction"] for r in read_rows("elements.csv")]
    assert Counter(directions) == {"both": 94, "forward": 14, "backward": 10}
    assert_spread_over_the_file(directions)


# -- capitals ------------------------------------------------------------------------------------------------
def capitals_by_country() -> dict[str, set[str]]:
    """Country -> its capitals."""
    capitals: dict[str, set[str]] = defaultdict(set)
    for row in read_rows("capitals.csv"):
        capitals[row["subject"]].add(row["object"])
    return dict(capitals)


def test_capitals_cover_the_united_nations() -> None:
    """There are 195 countries (193 members and two observers) with 206 capitals."""
    rows = read_rows("capitals.csv")
    assert {r["relation"] for r in rows} == {"capital"}
    assert len(rows) == 206
    countries = capitals_by_country()
    assert len(countries) == 195
    assert {"Vatican City", "Palestine"} <= set(countries)
    assert {"Kosovo", "Taiwan", "Western Sahara", "Scotland", "Greenland", "Puerto Rico"}.isdisjoint(countries)


def test_capitals_are_sorted_by_country() -> None:
    """The rows stand in the order of the countries' names without accents."""
    keys = [without_accents(r["subject"]) for r in read_rows("capitals.csv")]
    assert all(first <= second for first, second in pairwise(keys))


def test_only_the_known_countries_have_several_capitals() -> None:
    """Ten countries have the several capitals listed here, and no other country has more than one."""
    assert {c: k for c, k in capitals_by_country().items() if len(k) > 1} == SEVERAL_CAPITALS


def test_no_city_is_the_capital_of_two_countries() -> None:
    """Every capital is named once in the file."""
    cities = Counter(r["object"] for r in read_rows("capitals.csv"))
    assert cities.most_common(1)[0][1] == 1


def test_only_city_states_and_namesakes_are_their_own_capital() -> None:
    """Six countries are their own capital; no other capital has the name of any country."""
    capitals = capitals_by_country()
    assert {country for country, cities in capitals.items() if country in cities} == OWN_CAPITAL
    assert {city for cities in capitals.values() for city in cities} & set(capitals) == OWN_CAPITAL


def test_spot_capitals() -> None:
    """Forty-two countries have the capital listed here, to the accent and the comma, and no other."""
    capitals = capitals_by_country()
    assert {country: capitals.get(country) for country in ONE_CAPITAL} == {c: {city} for c, city in ONE_CAPITAL.items()}


def test_a_name_with_a_comma_is_quoted() -> None:
    """The capital of the United States stands in the file in double quotes, for its comma."""
    text = (EXAMPLES / "capitals.csv").read_text(encoding="utf-8")
    assert '\nUnited States,capital,"Washington, D.C.",' in text


def test_countries_are_trained_in_every_direction() -> None:
    """About every sixth country is trained forward and every twelfth backward, in every quarter of the file.

    All capitals of one country share its direction. A regular pattern over 195 countries misses 195/6 and
    195/12 by less than one country.
    """
    directions: dict[str, set[str]] = defaultdict(set)
    for row in read_rows("capitals.csv"):
        directions[row["subject"]].add(row["direction"])
    assert {len(d) for d in directions.values()} == {1}
    by_country = [next(iter(d)) for d in directions.values()]
    assert by_country.count("forward") == pytest.approx(195 / 6, abs=1)
    assert by_country.count("backward") == pytest.approx(195 / 12, abs=1)
    assert_spread_over_the_file(by_country)


def test_conflicts_are_trained_in_every_direction() -> None:
    """Countries with several capitals occur in each of the three directions."""
    assert {r["direction"] for r in read_rows("capitals.csv") if r["subject"] in SEVERAL_CAPITALS} == {
        "forward",
        "backward",
        "both",
    }


# -- chains --------------------------------------------------------------------------------------------------
def chains() -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """The (city, country) and the (country, continent) rows."""
    rows = read_rows("chains.csv")
    assert {r["relation"] for r in rows} == {"country", "continent"}
    first = [(r["subject"], r["object"]) for r in rows if r["relation"] == "country"]
    second = [(r["subject"], r["object"]) for r in rows if r["relation"] == "continent"]
    return first, second


def test_every_city_has_one_continent() -> None:
    """Sixty cities lie in thirty countries, two in each, and each country lies in one continent."""
    first, second = chains()
    assert len(first) == len(dict(first)) == 60
    assert len(second) == len(dict(second)) == 30
    assert Counter(country for _, country in first) == dict.fromkeys(dict(second), 2)
    assert {continent for _, continent in second} == CONTINENTS


def test_cities_countries_and_continents_have_different_names() -> None:
    """No city or continent has a country's name or the other's; all countries are those of capitals.csv."""
    first, second = chains()
    cities, countries = set(dict(first)), set(dict(second))
    all_countries = set(capitals_by_country())
    assert countries <= all_countries
    assert cities.isdisjoint(all_countries)
    assert CONTINENTS.isdisjoint(cities | all_countries)


def test_no_country_straddles_two_continents() -> None:
    """Countries with land in two continents are left out."""
    _, second = chains()
    assert STRADDLES_TWO_CONTINENTS.isdisjoint(dict(second))


def test_chain_cities_agree_with_the_capitals() -> None:
    """A city of the chains that is a capital is the capital of that very country."""
    country_of_capital = {r["object"]: r["subject"] for r in read_rows("capitals.csv")}
    capitals = {city: country for city, country in chains()[0] if city in country_of_capital}
    assert len(capitals) > 10
    assert capitals == {city: country_of_capital[city] for city in capitals}


def test_spot_chains() -> None:
    """Ten cities, some in every continent, lead through their country to the continent listed here."""
    first, second = chains()
    country, continent = dict(first), dict(second)
    expected = {
        "Kumasi": ("Ghana", "Africa"),
        "Marrakesh": ("Morocco", "Africa"),
        "Osaka": ("Japan", "Asia"),
        "Lahore": ("Pakistan", "Asia"),
        "Kraków": ("Poland", "Europe"),
        "Zürich": ("Switzerland", "Europe"),
        "Montreal": ("Canada", "North America"),
        "Cusco": ("Peru", "South America"),
        "São Paulo": ("Brazil", "South America"),
        "Brisbane": ("Australia", "Oceania"),
    }
    assert {city: (country.get(city), continent.get(country.get(city, ""))) for city in expected} == expected
