# The sample program of the vendor's page, its lost indentation restored. Tests replace its host and its token alone.
import requests
import datetime
import os

# Constants for the API and token
AUTH_TOKEN = "Atza|auth_token"
ACCOUNT_URL = "https://videocentral.amazon.com/apis/v2/accounts/123456/7890/abc123/datasets/data987"

# File where we persist the timestamp of the last successful API call
LAST_CALL_FILE = "last_call_time.txt"


def load_last_call_time():
    """
    Reads the timestamp of the last API call from a local file.
    If the file doesn't exist, defaults to a specific start time.
    """
    if not os.path.exists(LAST_CALL_FILE):
        # If no record exists, assume we're starting fresh from this date
        return datetime.datetime(2023, 1, 1, 0, 0, 0, tzinfo=datetime.timezone.utc)
    with open(LAST_CALL_FILE, "r") as f:
        # Read and parse the ISO timestamp from the file
        return datetime.datetime.fromisoformat(f.read().strip())


def save_current_call_time(dt):
    """
    Saves the current timestamp to the local file so it can be used
    as the starting point for the next API call.
    """
    with open(LAST_CALL_FILE, "w") as f:
        f.write(dt.isoformat())


def main():
    # Current UTC time will be used as the end of the range
    now = datetime.datetime.now(datetime.timezone.utc)
    # Start time is one second after the last recorded call
    start_time = load_last_call_time() + datetime.timedelta(seconds=1)
    end_time = now
    # Set the query parameters
    params = {"startDateTime": start_time.isoformat(), "endDateTime": end_time.isoformat(), "offset": 0, "limit": 50}
    # Set the auth header
    headers = {"Authorization": f"Bearer {AUTH_TOKEN}"}
    # Make the GET request to the API
    response = requests.get(ACCOUNT_URL, headers=headers, params=params)
    # Check if the request was successful
    if response.ok:
        print("Data fetched successfully.")
        # Persist the end time as the last successful call time
        save_current_call_time(end_time)
    else:
        print(f"Error fetching data: {response.status_code} - {response.text}")


if __name__ == "__main__":
    main()
