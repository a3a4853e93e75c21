"""An index that has all that a listing of a dataset's files counts and sorts by."""

from __future__ import annotations

from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

_COLUMNS = ["dataset_id", "published_at", "file_id", "deleted_at"]


def upgrade() -> None:
    op.drop_index("ix_dataset_files_dataset_id_published_at", "dataset_files")
    op.create_index("ix_dataset_files_dataset_id_published_at_file_id_deleted_at", "dataset_files", _COLUMNS)
