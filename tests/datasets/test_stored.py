from airtally.datasets.stored import stored_name


def test_files_lie_by_account_and_dataset() -> None:
    assert stored_name("acme", 7, "a.csv") == "datasets/acme/7/a.csv"
