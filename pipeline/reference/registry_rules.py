"""The registry's vocabulary, and what makes it sound: the rules of its rows, of its files, and between the files."""

import csv
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date

import polars as pl
import pycountry

from pipeline.reference.lists import FOLDER
from pipeline.schema.declaration import Severity

COUNTRY_CODES = frozenset(country.alpha_2 for country in pycountry.countries)
INTERNATIONAL = "international"
MEMBERS_NOT_COUNTRIES = (INTERNATIONAL, "unaffiliated", "unmapped")
PERSON = "individual"
KINDS = ("company", "university", "research_institute", "nonprofit", "government", "community", PERSON)
EVIDENCE_BASES = ("read", "well_known")
OWN_NAME = "own_name"
"""How an account is known that bears its organisation's name; the check compares the two."""
ROLES = ("own", "canonical", "port", "reupload")
RULES_FOR_COMMUNITIES = ("author_group", "national_community", "host", "registered")
SEAT_RULES = ("head_office", "unit", "university", "state", *RULES_FOR_COMMUNITIES, "no_single_base")
"""By which rule of the policy an organisation is placed; see the methodology, "How an account is placed"."""
WORDS_OF_A_QUOTE = 20
DEEPEST_OWNERSHIP = 6
"""Owners above an organisation, at most."""
FAR_PAST, FAR_FUTURE = date(1, 1, 1), date(9999, 1, 1)
Files = Mapping[str, pl.DataFrame]
"""The registry's files by name, each row with its `line`."""


@dataclass(frozen=True)
class RegistryRule:
    """A statement about every row of the map, and of each file of the registry that has the columns that it names.

    `is_broken` is true of a row that breaks it. `sentence` says of such a row, of which it names columns in braces,
    what is wrong with it and what mends it.
    """

    name: str
    meaning: str
    is_broken: pl.Expr
    sentence: str
    severity: Severity = "critical"


@dataclass(frozen=True)
class FileRule:
    """A statement about one file's rows, by themselves or among those of the others.

    `broken` is true of a row that breaks it, or finds such rows in the files; `sentence` is as of rules of the map.
    """

    file: str
    broken: pl.Expr | Callable[[Files], pl.DataFrame]
    sentence: str

    def offenders(self, files: Files) -> pl.DataFrame:
        """The rows of the file that break it."""
        return files[self.file].filter(self.broken) if isinstance(self.broken, pl.Expr) else self.broken(files)


def _is_not(column: str, pattern: str) -> pl.Expr:
    return ~pl.col(column).str.contains(pattern).fill_null(value=False)


def _is_none_of(column: str, words: tuple[str, ...]) -> pl.Expr:
    return ~pl.col(column).is_in(words).fill_null(value=False)


def begins_before_the_last_has_ended(key: str, begin: str = "valid_from", end: str = "valid_to") -> pl.Expr:
    """Whether a row begins before an earlier row of the same key has ended."""
    began = pl.col(begin).fill_null(FAR_PAST)
    ended_before = pl.col(end).fill_null(FAR_FUTURE).cum_max().shift(1)
    return began < ended_before.over(key, order_by=began)


def refused_hosts() -> list[str]:
    """Hosts of pages that are no evidence: what they say is gathered from others, unnamed, or made by machine."""
    # Without Polars: it would start threads where this module is loaded, which no process survives that forks then.
    with (FOLDER / "registry" / "refused_sources.csv").open(encoding="utf-8", newline="") as lines:
        return [row["host"] for row in csv.DictReader(lines)]


_host = r"^https?://(?:www\.)?([^/]+)"
_is_current = pl.col("valid_to").is_null() & pl.col("country").is_not_null()
_is_read = pl.col("basis") == "read"
RULES = (
    RegistryRule(
        "namespaces_are_names",
        "Every row names a namespace as the Hub writes it.",
        _is_not("namespace", r"^[^\s/]+$"),
        "{namespace} is not a namespace: write the account's name as in the address of its page, in the same case",
    ),
    RegistryRule(
        "kinds_are_known",
        "Every kind is one of the declared kinds.",
        _is_none_of("kind", KINDS),
        f"kind {{kind}} is not known: choose one of {', '.join(KINDS)}",
    ),
    RegistryRule(
        "countries_exist",
        "Every country is an ISO 3166-1 alpha-2 code, or `international`.",
        ~pl.col("country").is_in([*COUNTRY_CODES, INTERNATIONAL]),
        "country {country} is not an ISO 3166-1 alpha-2 code: write it (GB, not UK), or international for no base",
    ),
    RegistryRule(
        "periods_end_after_they_begin",
        "A row's period ends after it begins.",
        pl.col("valid_to") <= pl.col("valid_from"),
        "the row ends on {valid_to}, not after it begins on {valid_from}: valid_to is the first day after it",
    ),
    RegistryRule(
        "periods_do_not_overlap",
        "No namespace belongs to two organisations at once.",
        begins_before_the_last_has_ended("namespace"),
        "the namespace is in two organisations at once: end the earlier row where the later begins",
    ),
    RegistryRule(
        "evidence_is_an_address",
        "Evidence is a public address.",
        ~pl.col("evidence").str.contains(r"^https?://[^\s/]+\.\S+$").fill_null(_is_read.not_()),
        "evidence {evidence} is not a public address: give that of a page that supports the row, with https://",
        "warning",
    ),
    RegistryRule(
        "evidence_is_not_refused",
        "No evidence is of a kind that the policy refuses.",
        pl.col("evidence").str.extract(_host).is_in(refused_hosts()),
        "the policy refuses {evidence} as evidence: find a page of the organisation, a register or the press, or write "
        "well_known and no address",
        "warning",
    ),
    RegistryRule(
        "what_was_read_says_when",
        "Rows that were read, and only they, say on which day.",
        _is_read != pl.col("checked_on").is_not_null(),
        "checked_on {checked_on} does not go with basis {basis}: it is the day on which the evidence was opened",
        "warning",
    ),
    RegistryRule(
        "organizations_are_named",
        "Every row names an organisation.",
        _is_not("organization", r"\S"),
        "the organisation is not named: name who stands behind the account, or remove the row, to count as unmapped",
    ),
    RegistryRule(
        "persons_alone_have_no_country",
        "Organisations have a country, persons have none.",
        (pl.col("kind") == PERSON) != pl.col("country").is_null(),
        "country {country} does not go with kind {kind}: leave an individual's empty, give all others one",
    ),
    RegistryRule(
        "organizations_are_in_one_country",
        "No organisation has its headquarters in two countries today.",
        _is_current & (pl.col("country").filter(_is_current).n_unique().over("organization") > 1),
        "{organization} is in {country} here and elsewhere in another row of today: decide, or name its units apart",
        "warning",
    ),
    RegistryRule(
        "parents_exist",
        "Every parent is another organisation of the registry.",
        (pl.col("parent") == pl.col("organization"))
        | (~pl.col("parent").is_in(pl.col("organization").implode()) & pl.col("ultimate_owner").is_null()),
        "parent {parent} is not another organisation of the registry: write it as in its own row, or leave it empty",
        "warning",
    ),
    RegistryRule(
        "basis_is_stated",
        "Every row says how it is known.",
        _is_none_of("basis", (*EVIDENCE_BASES, OWN_NAME)),
        "basis {basis} is not known: write read if the evidence was opened and says so, own_name if an account bears "
        "its organisation's name, else well_known",
        "warning",
    ),
)


def _placed_communities(files: Files) -> pl.DataFrame:
    communities = files["organizations"].filter(kind="community")
    is_placed = (pl.col("country") != INTERNATIONAL) & _is_none_of("rule", RULES_FOR_COMMUNITIES)
    return files["seats"].join(communities, "organization_id", "semi").filter(is_placed)


def _circles(files: Files) -> pl.DataFrame:
    """Owners' rows of organisations that own themselves in the end, at whatever time."""
    edges = files["owners"].select("organization_id", "owner_id").unique()
    upwards = edges.rename({"organization_id": "owner_id", "owner_id": "above"})
    reached = [edges]
    for _ in range(DEEPEST_OWNERSHIP):
        reached.append(reached[-1].join(upwards, "owner_id").select("organization_id", owner_id="above").unique())
    circular = pl.concat(reached).filter(pl.col("organization_id") == pl.col("owner_id"))
    return files["owners"].join(circular, "organization_id", "semi")


def _owned_twice(files: Files) -> pl.DataFrame:
    closed = files["owners"].filter(pl.col("closed_on").is_not_null() | pl.col("announced_on").is_null())
    return closed.filter(begins_before_the_last_has_ended("organization_id", "closed_on", "ended_on"))


def _persons_and_organizations(files: Files) -> pl.DataFrame:
    begin, end = pl.col("valid_from").fill_null(FAR_PAST), pl.col("valid_to").fill_null(FAR_FUTURE)
    of_organizations = files["accounts"].select("namespace", since=begin, until=end)
    both = files["persons"].join(of_organizations, "namespace")
    return both.filter((begin < pl.col("until")) & (pl.col("since") < end))


def _in_two_spellings(files: Files) -> pl.DataFrame:
    """Accounts whose name differs from another's by capitals alone, which the Hub does not allow."""
    spelled = pl.concat(files[file].select("namespace") for file in ("accounts", "persons")).unique()
    twice = spelled.filter(pl.col("namespace").str.to_lowercase().is_duplicated())
    return files["accounts"].join(twice, "namespace", "semi")


def _under_other_names(files: Files) -> pl.DataFrame:
    """Accounts that do not bear the name, the id or the web domain of their organisation, but for words such as AI."""

    def letters(value: pl.Expr) -> pl.Expr:
        plain = value.str.to_lowercase().str.replace_all(r"[^\p{L}\p{N}]", "")
        return plain.str.replace(r"(.)(ai|inc|labs?|org|team|hq|hf|research|tech|technology|technologies)$", "$1")

    name, domain = pl.col("name"), pl.col("website").str.extract(_host)
    names = (name, pl.col("organization_id"), name.str.extract(r"\((.+)\)"), domain, domain.str.extract(r"^(.+)\."))
    is_own = pl.any_horizontal((letters(name) == letters(pl.col("namespace"))).fill_null(value=False) for name in names)
    return files["accounts"].filter(basis=OWN_NAME).join(files["organizations"], "organization_id").filter(~is_own)


def _unknown(file: str, column: str = "organization_id") -> FileRule:
    return FileRule(
        file,
        lambda files: files[file].join(files["organizations"], left_on=column, right_on="organization_id", how="anti"),
        f"{column} {{{column}}} is not in organizations.csv: correct the id, or add a line for the organisation",
    )


def _repeated(file: str, column: str) -> FileRule:
    said = f"the {column} {{{column}}} is missing or listed more than once: give each line one of its own"
    return FileRule(file, pl.col(column).is_null() | pl.col(column).is_duplicated(), said)


DECIDING_FILE_RULES = (
    *(_unknown(file) for file in ("seats", "owners", "accounts", "canonical_models")),
    _unknown("owners", "owner_id"),
    _repeated("organizations", "organization_id"),
    _repeated("organizations", "name"),
    _repeated("canonical_models", "model_id"),
    FileRule(
        "organizations",
        pl.col("kind") == PERSON,
        "a person is among the organisations, which have countries: move the account to persons.csv",
    ),
    FileRule(
        "organizations",
        lambda files: files["organizations"].join(files["seats"], "organization_id", "anti"),
        "the organisation has no seat: add its line to seats.csv, international if there is no single base",
    ),
    FileRule(
        "seats",
        begins_before_the_last_has_ended("organization_id")
        | pl.col("valid_from").ne_missing(
            pl.col("valid_to").shift(1).over("organization_id", order_by=pl.col("valid_from").fill_null(FAR_PAST))
        )
        | pl.col("valid_to").is_not_null().all().over("organization_id"),
        "the seats of the organisation overlap or leave days without one: leave the first valid_from and the last "
        "valid_to empty, and let each begin where the one before ends",
    ),
    FileRule(
        "owners",
        _circles,
        "the organisation owns itself through its owners: remove the row that is wrong, or end one before the other",
    ),
    FileRule(
        "owners",
        _owned_twice,
        "the organisation has two owners at once: give the earlier row an ended_on, or name the one that controls it",
    ),
    FileRule(
        "owners",
        (pl.col("closed_on") < pl.col("announced_on"))
        | (pl.col("ended_on") <= pl.coalesce("closed_on", "announced_on")),
        "the purchase is closed before it was announced, or ends before it began: correct the days",
    ),
    FileRule(
        "persons",
        _persons_and_organizations,
        "the account is an organisation's in accounts.csv at the same time: keep it in one file, or end one row where "
        "the other begins",
    ),
)
"""A file that breaks one would attribute models to another, or to nobody."""
FILE_RULES_OF_EVIDENCE = (
    FileRule(
        "seats",
        _is_none_of("rule", SEAT_RULES)
        | ((pl.col("rule") == "no_single_base") != (pl.col("country") == INTERNATIONAL)),
        f"rule {{rule}} does not lead to country {{country}}: choose one of {', '.join(SEAT_RULES)}; no_single_base "
        "goes with international alone",
    ),
    FileRule(
        "seats",
        _placed_communities,
        "a community is placed in {country} by no rule that allows it: choose one of "
        f"{', '.join(RULES_FOR_COMMUNITIES)} if it holds, else international and no_single_base",
    ),
    FileRule(
        "seats",
        pl.col("quote").str.split(" ").list.len() > WORDS_OF_A_QUOTE,
        f"the quotation has more than {WORDS_OF_A_QUOTE} words: keep those that say where the organisation is",
    ),
    FileRule("accounts", _is_none_of("role", ROLES), f"role {{role}} is not known: choose one of {', '.join(ROLES)}"),
    FileRule(
        "accounts",
        _in_two_spellings,
        "the account is there in two spellings: keep the one in the address of its page, the Hub has not both",
    ),
    FileRule(
        "accounts",
        _under_other_names,
        "the account does not bear its organisation's name, which own_name claims: write well_known, or read with a "
        "page that says whose it is",
    ),
)
