"""The tables of the first version."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
_HASH, _TIME = sa.String(64), sa.String(40)


def upgrade() -> None:
    """Makes all tables."""
    op.create_table(
        "log",
        sa.Column("sequence", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("picture", _HASH),
        sa.Column("case_id", sa.BigInteger),
        sa.Column("body", sa.Text),
        sa.Column("more", sa.Text),
        sa.Column("digest", _HASH, nullable=False),
        sa.Column("previous", _HASH, nullable=False),
        sa.Column("hash", _HASH, nullable=False),
    )
    op.create_index("log_picture", "log", ["picture", "sequence"])
    op.create_index("log_case", "log", ["case_id", "sequence"])
    op.create_table(
        "pictures",
        sa.Column("sha256", _HASH, primary_key=True),
        sa.Column("pixels_sha256", _HASH, nullable=False, index=True),
        sa.Column("phash", sa.String(16), nullable=False),
        sa.Column("mirrored", sa.String(16), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("format", sa.Text, nullable=False),
        sa.Column("width", sa.Integer, nullable=False),
        sa.Column("height", sa.Integer, nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("first", sa.BigInteger, nullable=False, index=True),
        sa.Column("last", sa.BigInteger, nullable=False, index=True),
        sa.Column("active", _TIME, nullable=False, index=True),
        sa.Column("judgement", sa.BigInteger),
        sa.Column("judged_at", _TIME, index=True),
        sa.Column("detector", sa.Text),
        sa.Column("card_sha256", sa.Text),
        sa.Column("finding", sa.String(20)),
        sa.Column("score", sa.Float, index=True),
        sa.Column("via", sa.String(20)),
        sa.Column("decision", sa.BigInteger),
        sa.Column("decided", sa.String(20)),
        sa.Column("image", sa.Boolean, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
    )
    op.create_index("pictures_finding", "pictures", ["finding", "judged_at"])
    op.create_index("pictures_decided", "pictures", ["decided", "judged_at"])
    op.create_index("pictures_detector", "pictures", ["detector", "judged_at"])
    op.create_table(
        "judgements",
        sa.Column("sequence", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("picture", _HASH, nullable=False, index=True),
        sa.Column("same", _HASH, nullable=False, index=True),
        sa.Column("detector", sa.Text, nullable=False, index=True),
        sa.Column("card_sha256", sa.Text, nullable=False, index=True),
        sa.Column("model_sha256", sa.Text, nullable=False, index=True),
    )
    op.create_table(
        "picture_tags",
        sa.Column("picture", _HASH, primary_key=True),
        sa.Column("tag", sa.Text, primary_key=True),
    )
    op.create_index("picture_tags_tag", "picture_tags", ["tag", "picture"])
    op.create_table(
        "filings",
        sa.Column("picture", _HASH, primary_key=True),
        sa.Column("case_id", sa.BigInteger, primary_key=True, autoincrement=False),
    )
    op.create_index("filings_case", "filings", ["case_id", "picture"])
    op.create_table(
        "cases",
        sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("created", _TIME, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("closed", _TIME),
        sa.Column("last", sa.BigInteger, nullable=False, index=True),
        sa.Column("active", _TIME, nullable=False, index=True),
        sa.Column("text", sa.Text, nullable=False),
    )
    op.create_table(
        "case_tags",
        sa.Column("case_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("tag", sa.Text, primary_key=True),
    )
    op.create_index("case_tags_tag", "case_tags", ["tag", "case_id"])
