from airtally.datasets.stored import stored_name


def test_files_lie_by_account_and_dataset() -> None:
    assert stored_name("acme", 7, "data987-20261122T000000Z-000") == "datasets/acme/7/data987-20261122T000000Z-000"
