"""Tables of the store: the log, which holds every fact once, and what is computed from it to search quickly.

The log is the only truth. The other tables can be computed anew from it at any time, see `dfcore.cases.views`. They
are made by the migrations; a test compares the two.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
)

METADATA = MetaData()

# One row for each fact. `body` is canonical JSON, `more` its bulky part; both are emptied by a deletion.
LOG = Table(
    "log", METADATA,
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("at", String(40), nullable=False),
    Column("by", Text, nullable=False),
    Column("kind", String(20), nullable=False),
    Column("picture", String(64)),
    Column("case_id", BigInteger),
    Column("body", Text),
    Column("more", Text),
    Column("digest", String(64), nullable=False),
    Column("previous", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
    Index("log_picture", "picture", "sequence"),
    Index("log_case", "case_id", "sequence"),
)  # fmt: skip

# One row for each picture, with its newest judgement and decision.
PICTURES = Table(
    "pictures", METADATA,
    Column("sha256", String(64), primary_key=True),
    Column("pixels_sha256", String(64), nullable=False, index=True),
    Column("phash", String(16), nullable=False),
    Column("mirrored", String(16), nullable=False),
    Column("name", Text, nullable=False),
    Column("format", Text, nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("first", BigInteger, nullable=False, index=True),
    Column("last", BigInteger, nullable=False, index=True),
    Column("active", String(40), nullable=False, index=True),
    Column("judgement", BigInteger),
    Column("judged_at", String(40), index=True),
    Column("detector", Text),
    Column("card_sha256", Text),
    Column("finding", String(20)),
    Column("score", Float, index=True),
    Column("via", String(20)),
    Column("decision", BigInteger),
    Column("decided", String(20)),
    Column("image", Boolean, nullable=False),
    Column("text", Text, nullable=False),
    Index("pictures_finding", "finding", "judged_at"),
    Index("pictures_decided", "decided", "judged_at"),
    Index("pictures_detector", "detector", "judged_at"),
)  # fmt: skip

JUDGEMENTS = Table(
    "judgements", METADATA,
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("picture", String(64), nullable=False, index=True),
    Column("same", String(64), nullable=False, index=True),
    Column("detector", Text, nullable=False, index=True),
    Column("card_sha256", Text, nullable=False, index=True),
    Column("model_sha256", Text, nullable=False, index=True),
)  # fmt: skip

PICTURE_TAGS = Table(
    "picture_tags", METADATA,
    Column("picture", String(64), primary_key=True),
    Column("tag", Text, primary_key=True),
    Index("picture_tags_tag", "tag", "picture"),
)  # fmt: skip

FILINGS = Table(
    "filings", METADATA,
    Column("picture", String(64), primary_key=True),
    Column("case_id", BigInteger, primary_key=True, autoincrement=False),
    Index("filings_case", "case_id", "picture"),
)  # fmt: skip

CASES = Table(
    "cases", METADATA,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("title", Text, nullable=False),
    Column("created", String(40), nullable=False),
    Column("by", Text, nullable=False),
    Column("closed", String(40)),
    Column("last", BigInteger, nullable=False, index=True),
    Column("active", String(40), nullable=False, index=True),
    Column("text", Text, nullable=False),
)  # fmt: skip

CASE_TAGS = Table(
    "case_tags", METADATA,
    Column("case_id", BigInteger, primary_key=True, autoincrement=False),
    Column("tag", Text, primary_key=True),
    Index("case_tags_tag", "tag", "case_id"),
)  # fmt: skip

# Tables computed from the entries of one picture or of one case, with the column that names it.
OF_PICTURE = ((PICTURES, PICTURES.c.sha256), (JUDGEMENTS, JUDGEMENTS.c.picture),
              (PICTURE_TAGS, PICTURE_TAGS.c.picture), (FILINGS, FILINGS.c.picture))  # fmt: skip
OF_CASE = ((CASES, CASES.c.id), (CASE_TAGS, CASE_TAGS.c.case_id))
